//! Requests that go to one endpoint.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use buttress_core::Endpoint;
use http::{
    Request, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use tower_service::Service;

/// A client whose requests go to one endpoint: their scheme, host and port become those of its address, and their path goes below its own.
///
/// Clients of hyper and of reqwest go where a request says. This says it for them, so that the replicas of a
/// [dispatch](https://docs.rs/buttress/latest/buttress/struct.Dispatch.html) can share one client and its connections. An
/// address without a scheme is taken for `http`; one that has no place in a URI, as a socket in the file system, changes nothing. A `Host` header
/// that the request has itself stays.
///
/// # Examples
///
/// ```
/// use buttress_core::Endpoint;
/// use buttress_http::At;
/// use http::{Request, Response};
/// use tower_service::Service;
///
/// # #[derive(Clone)] struct Client;
/// # impl Service<Request<()>> for Client {
/// #     type Response = Response<String>; type Error = std::convert::Infallible;
/// #     type Future = std::future::Ready<Result<Self::Response, Self::Error>>;
/// #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> { std::task::Poll::Ready(Ok(())) }
/// #     fn call(&mut self, request: Request<()>) -> Self::Future { std::future::ready(Ok(Response::new(request.uri().to_string()))) }
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Client;
/// let connect = |endpoint: &Endpoint| At::new(endpoint, client.clone());
///
/// let mut replica = connect(&Endpoint::new("http://10.0.0.1:8080/api")?);
/// let asked = replica.call(Request::get("http://orders/today?all").body(())?).await?;
/// assert_eq!(asked.body(), "http://10.0.0.1:8080/api/today?all");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct At<S> {
    service: S,
    place: Option<Arc<Place>>,
}

/// Where an address points.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    /// What stands before each path, without a slash at its end.
    pub(crate) base: Box<str>,
}

impl<S> At<S> {
    /// Through `service`, to `endpoint`.
    pub fn new(endpoint: &Endpoint, service: S) -> Self {
        Self {
            service,
            place: Place::of(endpoint.address()).map(Arc::new),
        }
    }

    /// The wrapped client.
    pub const fn get_ref(&self) -> &S {
        &self.service
    }

    /// The wrapped client.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.service
    }

    /// The wrapped client.
    pub fn into_inner(self) -> S {
        self.service
    }

    pub(crate) fn place(&self) -> Option<&Place> {
        self.place.as_deref()
    }
}

impl Place {
    fn of(address: &str) -> Option<Self> {
        let whole = if address.contains("://") {
            address.parse::<Uri>()
        } else {
            format!("http://{address}").parse()
        };
        let parts = whole.ok()?.into_parts();
        let scheme = parts.scheme?;
        // Of `unix:///run/socket` the host would be empty.
        let authority = parts.authority.filter(|one| !one.host().is_empty())?;
        let base = parts.path_and_query;
        let base = base.as_ref().map_or("", PathAndQuery::path);
        Some(Self {
            scheme,
            authority,
            base: base.trim_end_matches('/').into(),
        })
    }

    /// `uri` there. As it was, where there is no such place.
    fn within(&self, uri: &Uri) -> Option<Uri> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        let path = uri.path_and_query();
        let whole_server = path.is_some_and(|path| path == "*");
        parts.path_and_query = Some(if self.base.is_empty() || whole_server {
            path.cloned()
                .unwrap_or_else(|| PathAndQuery::from_static("/"))
        } else {
            let path = path.map_or("/", PathAndQuery::as_str);
            format!("{}{path}", self.base).parse().ok()?
        });
        Uri::from_parts(parts).ok()
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for At<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(there) = self.place().and_then(|place| place.within(request.uri())) {
            *request.uri_mut() = there;
        }
        self.service.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_where_the_address_points_and_below_it() {
        for (address, asked, there) in [
            ("http://10.0.0.1:80", "/a?b=c", "http://10.0.0.1:80/a?b=c"),
            ("10.0.0.1:80", "https://logical/a", "http://10.0.0.1:80/a"),
            ("[::1]:80", "http://logical", "http://[::1]:80/"),
            ("https://h/base/", "/", "https://h/base/"),
            ("https://h/base", "/a/b?c", "https://h/base/a/b?c"),
            // `OPTIONS *` is of the whole server.
            ("https://h/base", "*", "https://h*"),
        ] {
            let place = Place::of(address).unwrap();
            let uri = place.within(&asked.parse().unwrap()).unwrap();
            assert_eq!(uri.to_string(), there, "{address} {asked}");
        }
    }

    #[test]
    fn what_has_no_place_in_a_uri_changes_nothing() {
        for address in ["unix:///run/app.sock", "/run/app.sock", "a b", "h:80:90"] {
            assert!(Place::of(address).is_none(), "{address}");
        }
    }
}
