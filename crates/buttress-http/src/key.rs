//! Which service a request is for, by what it says itself.

use buttress_core::{Key, KeyOf};
use http::{HeaderName, Request, header};

/// By host and port: of the URI where it says them, else of the `Host` header. Whatever the case.
///
/// Who sends requests chooses their hosts: in a server that is anybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByHost;

/// By the first value of a header: a tenant, a shard.
///
/// Values that are marked as sensitive, credentials and cookies are told apart and not shown.
///
/// # Examples
///
/// ```
/// use buttress_core::KeyOf;
/// use buttress_http::ByHeader;
///
/// let by_tenant = ByHeader::from(http::HeaderName::from_static("x-tenant"));
/// let request = http::Request::builder().header("x-tenant", "seven").body(()).unwrap();
/// assert_eq!(by_tenant.key(&request).name(0), "seven".into());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByHeader(HeaderName);

impl From<HeaderName> for ByHeader {
    fn from(name: HeaderName) -> Self {
        Self(name)
    }
}

impl<B> KeyOf<Request<B>> for ByHost {
    fn key<'a>(&self, request: &'a Request<B>) -> Key<'a> {
        let authority = request.uri().authority().map(|whole| whole.as_str());
        let said = || request.headers().get(header::HOST)?.to_str().ok();
        // What is before the last `@` is nobody's host, and may be a password.
        let host = |whole: &'a str| whole.rsplit('@').next().unwrap_or(whole);
        authority.or_else(said).map(host).map(Key::caseless).into()
    }
}

impl<B> KeyOf<Request<B>> for ByHeader {
    fn key<'a>(&self, request: &'a Request<B>) -> Key<'a> {
        let Some(value) = request.headers().get(&self.0) else {
            return Key::NONE;
        };
        match std::str::from_utf8(value.as_bytes()) {
            Ok(text) if !value.is_sensitive() && !is_secret(&self.0) => Key::from(text),
            _ => Key::secret(value.as_bytes()),
        }
    }
}

fn is_secret(name: &HeaderName) -> bool {
    [
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::COOKIE,
    ]
    .contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&str, &[u8])]) -> Request<()> {
        let request = Request::builder().uri(uri);
        let with = |request: http::request::Builder, (name, value): &(&str, &[u8])| {
            request.header(*name, *value)
        };
        headers.iter().fold(request, with).body(()).unwrap()
    }

    #[test]
    fn a_host_is_where_the_request_says_it_is_to_go() {
        let none: &[(&str, &[u8])] = &[];
        let host: &[(&str, &[u8])] = &[("host", b"Other:81")];
        for (uri, headers, name) in [
            ("http://Example.COM:8080/orders", none, "example.com:8080"),
            ("http://Example.COM/orders", host, "example.com"),
            ("http://user:word@Example.com/", none, "example.com"),
            ("http://[::1]:80/", none, "[::1]:80"),
            ("/orders", host, "other:81"),
            ("/orders", none, "(none)"),
            ("/orders", &[("host", b"\xff")], "(none)"),
        ] {
            let key = request(uri, headers);
            assert_eq!(ByHost.key(&key).name(0), name.into(), "{uri}");
        }
    }

    #[test]
    fn a_header_tells_requests_apart_and_secrets_are_not_shown() {
        let number = 0x1234_5678_0000_0000;
        for (name, value, shown) in [
            ("x-tenant", "seven".as_bytes(), "seven"),
            ("x-tenant", b"\xff\xfe", "#12345678"),
            ("authorization", b"Bearer 1234", "#12345678"),
            ("cookie", b"session=1234", "#12345678"),
        ] {
            let by = ByHeader::from(HeaderName::from_static(name));
            let with = request("/", &[(name, value)]);
            assert_eq!(by.key(&with).name(number), shown.into(), "{name}");
            assert_eq!(by.key(&request("/", &[])).name(number), "(none)".into());
        }
        let mut sensitive = request("/", &[]);
        let mut value = http::HeaderValue::from_static("seven");
        value.set_sensitive(true);
        sensitive.headers_mut().insert("x-tenant", value);
        let by = ByHeader::from(HeaderName::from_static("x-tenant"));
        assert_eq!(by.key(&sensitive).name(number), "#12345678".into());
    }
}
