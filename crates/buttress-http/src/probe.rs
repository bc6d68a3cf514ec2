//! The health page of an endpoint, asked for as a probe.

use std::{
    error::Error,
    future::poll_fn,
    ops::RangeInclusive,
    pin::{Pin, pin},
};

use buttress_core::{Cause, Endpoint, Outcome, PolicyError};
use bytes::Buf as _;
use http::{Request, Response, Uri, header::USER_AGENT, uri::PathAndQuery};
use http_body::Body;
use tower_service::Service;

use crate::classify;

type BoxError = Box<dyn Error + Send + Sync>;

/// How an endpoint answered, once it has.
type Answer = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// The most that is read of an answer, so that its connection can be used again. A longer one costs its connection.
const MOST: usize = 64 * 1024;

/// Asks an endpoint for a page that tells whether it is well: `GET path`, and a status that is expected.
///
/// Any other status is a failure, also one that would be overload or the caller's fault in a call: a page that is not
/// found speaks for nobody. So is an answer whose body breaks off. Redirects are not followed.
///
/// # Examples
///
/// ```
/// # use buttress_core::Endpoint; use http::{Request, Response}; use http_body_util::Empty;
/// use buttress_http::HttpProbe;
///
/// # #[derive(Clone)] struct Client;
/// # impl tower_service::Service<Request<Empty<bytes::Bytes>>> for Client {
/// #     type Response = Response<Empty<bytes::Bytes>>; type Error = std::io::Error;
/// #     type Future = std::future::Ready<Result<Self::Response, Self::Error>>;
/// #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> { std::task::Poll::Ready(Ok(())) }
/// #     fn call(&mut self, _: Request<Empty<bytes::Bytes>>) -> Self::Future { std::future::ready(Ok(Response::default())) }
/// # }
/// # let client = Client;
/// let probe = HttpProbe::get("/healthz")?.expect(200..=204).over(move |_: &Endpoint| client.clone());
/// # let _ = probe;
/// assert!(HttpProbe::get("healthz").is_err());
/// # Ok::<(), buttress_core::PolicyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpProbe {
    path: PathAndQuery,
    expected: RangeInclusive<u16>,
}

impl HttpProbe {
    /// Asks for `path`, below the endpoint's address. Expects 200 to 399, as `HAProxy` and Kubernetes do.
    ///
    /// # Errors
    ///
    /// When `path` is none, or does not begin with a slash.
    pub fn get(path: &str) -> Result<Self, PolicyError> {
        let needs = "a path that begins with a slash";
        path.parse()
            .ok()
            .filter(|_| path.starts_with('/'))
            .map(|path| Self {
                path,
                expected: 200..=399,
            })
            .ok_or_else(|| PolicyError::new("probe.path", path, needs))
    }

    /// Sets which statuses are good.
    #[must_use]
    pub const fn expect(mut self, statuses: RangeInclusive<u16>) -> Self {
        self.expected = statuses;
        self
    }

    /// The probe itself, through what `connect` makes of an endpoint: clones of one client, or a new connection each
    /// time. It is called once a probe. Requests name the whole address, `http://` where it has no scheme.
    pub fn over<S, B, R>(
        self,
        connect: impl Fn(&Endpoint) -> S + Send + Sync + 'static,
    ) -> impl Fn(&Endpoint) -> Answer + Send + Sync + 'static
    where
        S: Service<Request<B>, Response = Response<R>> + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: Default + Send + 'static,
        R: Body + Send + 'static,
        R::Error: Into<BoxError>,
    {
        move |endpoint: &Endpoint| {
            let (service, request) = (connect(endpoint), self.request(endpoint));
            let expected = self.expected.clone();
            Box::pin(async move {
                match ask(service, request, &expected).await {
                    Ok(outcome) => outcome,
                    Err(error) => classify::error(&*error),
                }
            })
        }
    }

    fn request<B: Default>(&self, endpoint: &Endpoint) -> Request<B> {
        let mut request = Request::new(B::default());
        *request.uri_mut() = self.uri(endpoint.address());
        let agent = http::HeaderValue::from_static("buttress-probe");
        request.headers_mut().insert(USER_AGENT, agent);
        request
    }

    fn uri(&self, address: &str) -> Uri {
        let scheme = if address.contains("://") {
            ""
        } else {
            "http://"
        };
        format!("{scheme}{}{}", address.trim_end_matches('/'), self.path)
            .parse()
            // A socket in the file system has no place in a URI: its connector knows where it is.
            .unwrap_or_else(|_| Uri::from(self.path.clone()))
    }
}

async fn ask<S, B, R>(
    mut service: S,
    request: Request<B>,
    expected: &RangeInclusive<u16>,
) -> Result<Outcome, BoxError>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body,
    R::Error: Into<BoxError>,
{
    poll_fn(|cx| service.poll_ready(cx))
        .await
        .map_err(Into::into)?;
    let response = service.call(request).await.map_err(Into::into)?;
    let good = expected.contains(&response.status().as_u16());
    let read = read(response.into_body()).await;
    if good {
        read.map(|()| Outcome::Success)
    } else {
        Ok(Outcome::Failure(Cause::Error))
    }
}

/// Reads a body to its end, or as far as it is worth.
async fn read<R>(body: R) -> Result<(), BoxError>
where
    R: Body,
    R::Error: Into<BoxError>,
{
    let mut body = pin!(body);
    let mut left = MOST;
    while left > 0 && !body.is_end_stream() {
        let frame = poll_fn(|cx| {
            body.as_mut().poll_frame(cx).map(|frame| {
                frame.map(|frame| {
                    frame.map(|frame| frame.data_ref().map_or(0, |data| data.remaining()))
                })
            })
        });
        match frame.await {
            None => break,
            // An empty frame counts too: a body of nothing else has no end.
            Some(size) => left = left.saturating_sub(size.map_err(Into::into)?.max(1)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_below_the_address() {
        let probe = HttpProbe::get("/up?deep=1").unwrap();
        for (address, uri) in [
            ("http://10.0.0.1:80", "http://10.0.0.1:80/up?deep=1"),
            ("10.0.0.1:80", "http://10.0.0.1:80/up?deep=1"),
            ("[::1]:80", "http://[::1]:80/up?deep=1"),
            (
                "https://example.com/base/",
                "https://example.com/base/up?deep=1",
            ),
            ("unix:///run/app.sock", "/up?deep=1"),
        ] {
            assert_eq!(probe.uri(address).to_string(), uri);
        }
    }

    #[test]
    fn a_path_that_is_none_is_named() {
        for path in ["", "up", "http://other/up", "/a b"] {
            let error = HttpProbe::get(path).unwrap_err();
            assert_eq!((error.field(), error.value()), ("probe.path", path));
        }
    }
}
