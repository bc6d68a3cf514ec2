//! Who answers.

use std::{error::Error, fmt, num::NonZeroU64, str::FromStr, sync::Arc};

/// Who answers: an address and what is known of where it stands.
///
/// # Examples
///
/// ```
/// use buttress_core::Endpoint;
///
/// let endpoint = Endpoint::new("http://10.0.0.1:50051")?.zone("eu-1a").priority(1);
/// assert_eq!(endpoint.address(), "http://10.0.0.1:50051");
/// assert!(Endpoint::new("http://10.0.0.1:port").unwrap_err().to_string().contains("10.0.0.1:port"));
/// # Ok::<(), buttress_core::InvalidEndpoint>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    address: Arc<str>,
    zone: Option<Arc<str>>,
    version: Option<Arc<str>>,
    weight: u32,
    priority: u32,
    epoch: Option<NonZeroU64>,
}

impl Endpoint {
    /// An endpoint at `address`: `host:port`, or a URL with scheme, host and optional port and path.
    ///
    /// # Errors
    ///
    /// Says which address is malformed, and how. Credentials and queries are refused: addresses are printed.
    pub fn new(address: impl AsRef<str>) -> Result<Self, InvalidEndpoint> {
        let address = address.as_ref();
        match fault(address) {
            None => Ok(Self {
                address: address.into(),
                zone: None,
                version: None,
                weight: 1,
                priority: 0,
                epoch: None,
            }),
            // Credentials must not reach a log by way of the very error that refuses them.
            Some(reason) if address.contains('@') => Err(InvalidEndpoint {
                address: redact(address),
                reason,
            }),
            Some(reason) => Err(InvalidEndpoint {
                address: address.to_owned(),
                reason,
            }),
        }
    }

    /// The one endpoint of a set that is a service itself: it has no address.
    #[must_use]
    pub fn itself() -> Self {
        Self {
            address: Arc::from("itself"),
            zone: None,
            version: None,
            weight: 1,
            priority: 0,
            epoch: None,
        }
    }

    /// Where it stands: what fails together. Callers that say where they stand prefer those nearby.
    #[must_use]
    pub fn zone(mut self, zone: impl Into<Arc<str>>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// What it runs.
    #[must_use]
    pub fn version(mut self, version: impl Into<Arc<str>>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Its share of calls, relative to others of its priority; 1 by default. Of 0 it gets calls only where nobody else takes them.
    #[must_use]
    pub const fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Which tier it belongs to, lower before higher; 0 by default. A tier is asked when those before it cannot bear all
    /// calls: with less than 72 % of them well. Ejection caps and panic are reckoned per tier.
    #[must_use]
    pub const fn priority(mut self, priority: u32) -> Self {
        self.priority = priority;
        self
    }

    /// By which lease it is the primary, numbered so that each is higher than all before it: see [`Fence`](crate::Fence). It is told with
    /// every request, and a set with an earlier one than was seen before is not believed. Zero is none.
    #[must_use]
    pub const fn epoch(mut self, epoch: u64) -> Self {
        self.epoch = NonZeroU64::new(epoch);
        self
    }

    /// The number of its lease, where it is a primary that holds one.
    #[must_use]
    pub const fn of_epoch(&self) -> Option<u64> {
        match self.epoch {
            Some(epoch) => Some(epoch.get()),
            None => None,
        }
    }

    pub(crate) const fn in_zone(&self) -> Option<&Arc<str>> {
        self.zone.as_ref()
    }

    pub(crate) const fn of_version(&self) -> Option<&Arc<str>> {
        self.version.as_ref()
    }

    pub(crate) const fn weighs(&self) -> u32 {
        self.weight
    }

    /// Its tier: the last number stands for none.
    pub(crate) const fn tier(&self) -> u32 {
        if self.priority == u32::MAX {
            u32::MAX - 1
        } else {
            self.priority
        }
    }

    /// Which tier it belongs to.
    #[must_use]
    pub const fn of_priority(&self) -> u32 {
        self.priority
    }

    /// Its address, as given. Two endpoints with one address are one endpoint.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(crate) const fn shared_address(&self) -> &Arc<str> {
        &self.address
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(address: &str) -> Result<Self, InvalidEndpoint> {
        Self::new(address)
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = InvalidEndpoint;

    fn try_from(address: &str) -> Result<Self, InvalidEndpoint> {
        Self::new(address)
    }
}

impl TryFrom<String> for Endpoint {
    type Error = InvalidEndpoint;

    fn try_from(address: String) -> Result<Self, InvalidEndpoint> {
        Self::new(address)
    }
}

/// An address that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidEndpoint {
    address: String,
    reason: &'static str,
}

impl From<std::convert::Infallible> for InvalidEndpoint {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for InvalidEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "endpoint address {:?}: {}", self.address, self.reason)
    }
}

impl Error for InvalidEndpoint {}

/// What is wrong with an address, if anything.
fn fault(address: &str) -> Option<&'static str> {
    if address.is_empty() {
        return Some("is empty; write \"host:port\" or a URL");
    }
    if address.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some("has a space or control character");
    }
    let rest = match address.split_once("://") {
        Some((scheme, _)) if !is_scheme(scheme) => return Some("has a malformed scheme"),
        Some(("unix", path)) if path.starts_with('/') => return None,
        Some((_, rest)) => rest,
        None => address,
    };
    let (authority, path) = rest
        .find(['/', '?', '#'])
        .map_or((rest, ""), |at| rest.split_at(at));
    if authority.contains('@') {
        return Some("has credentials; give them to the connector, addresses are printed");
    }
    if path.contains(['?', '#']) {
        return Some("has a query or fragment; an endpoint is a host");
    }
    if !path.is_empty() && !address.contains("://") {
        return Some("has a path but no scheme; a URL begins as in \"http://\"");
    }
    let (host, port) = split_port(authority);
    if host.is_empty() || host.contains(['[', ']', ':']) && !is_bracketed(host) {
        return Some("has no host; an IPv6 host needs brackets");
    }
    if !is_bracketed(host) && !is_name(host) {
        return Some(
            "has a host that is neither a name (ASCII letters, digits, '-', '_', '.') nor an IP address",
        );
    }
    match port.map(str::parse::<u16>) {
        Some(Err(_) | Ok(0)) => Some("has a malformed port; needs 1 to 65535"),
        _ => None,
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Splits `host:port`, leaving the colons of a bracketed IPv6 host alone.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_bracketed(host: &str) -> bool {
    host.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
}

/// A name, or four numbers: what ends in a number is an address (WHATWG URL, "ends in a number").
fn is_name(host: &str) -> bool {
    let mut labels = host.strip_suffix('.').unwrap_or(host).split('.');
    let numeric = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    labels.clone().all(|label| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    }) && (!labels.next_back().is_some_and(numeric) || host.parse::<std::net::Ipv4Addr>().is_ok())
}

/// Hides everything before the last `@`.
fn redact(address: &str) -> String {
    address
        .rsplit_once('@')
        .map_or_else(String::new, |(_, host)| format!("…@{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_people_write() {
        for address in [
            "10.0.0.1:80",
            "localhost:8080",
            "http://10.0.0.1:50051",
            "https://example.com/base",
            "http://[::1]:80",
            "[::1]:80",
            "unix:///run/app.sock",
            "db",
            "my_service.svc-1.cluster.local.:80",
            "http://10.0.0.1.example:80/",
        ] {
            assert!(Endpoint::new(address).is_ok(), "{address}");
        }
    }

    #[test]
    fn says_which_address_is_malformed_and_how() {
        for (address, word) in [
            ("", "empty"),
            ("a b:80", "space"),
            ("http://", "no host"),
            ("http://:80", "no host"),
            ("http://h:0", "port"),
            ("http://h:99999", "port"),
            ("http://h:x", "port"),
            ("1http://h", "scheme"),
            ("::1:80", "brackets"),
            ("http://h?x=1", "query"),
            ("http//h", "scheme"),
            ("10.0.0.256:80", "host"),
            ("10.0.0:80", "host"),
            ("%zz:80", "host"),
            ("a,b:80", "host"),
            ("a..b:80", "host"),
            ("http://bücher:80", "host"),
        ] {
            let error = Endpoint::new(address).unwrap_err().to_string();
            assert!(
                error.contains(word) && error.contains(address),
                "{address}: {error}"
            );
        }
    }

    #[test]
    fn a_refused_password_is_not_printed() {
        let error = Endpoint::new("http://user:secret@host:80")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("credentials") && !error.contains("secret"),
            "{error}"
        );
    }
}
