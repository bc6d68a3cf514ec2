//! Whether somebody listens.

use std::io;

use buttress_core::{Cause, Endpoint, Outcome};
use tokio::net::TcpStream;

use super::{Probe, ProbeFuture};

/// Connects, and hangs up. Proves that somebody listens, and no more: a hung server whose kernel accepts passes.
///
/// # Examples
///
/// ```
/// use buttress::TcpProbe;
///
/// let probe = TcpProbe::new().port(5432); // for addresses that name none
/// # let _ = probe;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpProbe {
    port: Option<u16>,
}

impl TcpProbe {
    /// Connects to the port in the address, or to that of `http` and `https`.
    #[must_use]
    pub const fn new() -> Self {
        Self { port: None }
    }

    /// Sets the port for addresses that name none.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }
}

impl Probe for TcpProbe {
    fn ask(&self, endpoint: &Endpoint) -> ProbeFuture {
        #[cfg(unix)]
        if let Some(path) = endpoint.address().strip_prefix("unix://") {
            let path = path.to_owned();
            return Box::pin(async move { judge(tokio::net::UnixStream::connect(path).await) });
        }
        let Some((host, port)) = host_and_port(endpoint.address(), self.port) else {
            // Ours to set right. It says nothing of the endpoint, whose health is left to its calls.
            tracing::warn!(target: "buttress", %endpoint, "not probed: no port");
            return Box::pin(std::future::ready(Outcome::Refused));
        };
        let host = host.to_owned();
        Box::pin(async move { judge(TcpStream::connect((host.as_str(), port)).await) })
    }
}

fn judge<T>(connected: io::Result<T>) -> Outcome {
    match connected {
        Ok(_) => Outcome::Success,
        Err(error) if is_ours(&error) => Outcome::Refused,
        Err(_) => Outcome::Failure(Cause::Connect),
    }
}

/// Are we out of descriptors? Then no endpoint is to blame.
fn is_ours(error: &io::Error) -> bool {
    // ENFILE and EMFILE, the same on every Unix; the standard library has no kind for them.
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

fn host_and_port(address: &str, port: Option<u16>) -> Option<(&str, u16)> {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let authority = rest.find('/').map_or(rest, |at| &rest[..at]);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, port.or_else(|| well_known(scheme))?),
    };
    Some((host.trim_matches(['[', ']']), port))
}

fn well_known(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_host_and_port_in_what_people_write() {
        for (address, expected) in [
            ("10.0.0.1:80", Some(("10.0.0.1", 80))),
            ("http://h:81/base", Some(("h", 81))),
            ("http://h", Some(("h", 80))),
            ("https://h/", Some(("h", 443))),
            ("[::1]:80", Some(("::1", 80))),
            ("http://[::1]", Some(("::1", 80))),
            ("db", None),
            ("postgres://db", None),
        ] {
            assert_eq!(host_and_port(address, None), expected, "{address}");
        }
        assert_eq!(host_and_port("db", Some(5432)), Some(("db", 5432)));
        assert_eq!(host_and_port("db:1", Some(5432)), Some(("db", 1)));
    }

    #[tokio::test]
    async fn an_address_without_a_port_is_nobodys_failure() {
        let endpoint = Endpoint::new("db").unwrap();
        assert_eq!(TcpProbe::new().ask(&endpoint).await, Outcome::Refused);
    }
}
