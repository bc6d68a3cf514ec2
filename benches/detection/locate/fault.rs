//! Which part fails.

use buttress::{Endpoint, Place};

use super::set::{ROUTES, VERSIONS, ZONES};

/// Which part fails: all calls that match.
#[derive(Clone, Copy, Default)]
pub(super) struct Fault {
    endpoint: Option<usize>,
    zone: Option<&'static str>,
    version: Option<&'static str>,
    route: Option<usize>,
}

const NOWHERE: Fault = Fault {
    endpoint: None,
    zone: None,
    version: None,
    route: None,
};

pub(super) const KINDS: [(&str, Fault); 8] = [
    (
        "endpoint",
        Fault {
            endpoint: Some(2),
            ..NOWHERE
        },
    ),
    (
        "canary_endpoint",
        Fault {
            endpoint: Some(7),
            ..NOWHERE
        },
    ),
    (
        "zone",
        Fault {
            zone: Some("b"),
            ..NOWHERE
        },
    ),
    (
        "version",
        Fault {
            version: Some("v2"),
            ..NOWHERE
        },
    ),
    (
        "route",
        Fault {
            route: Some(1),
            ..NOWHERE
        },
    ),
    (
        "route_endpoint",
        Fault {
            route: Some(0),
            endpoint: Some(5),
            ..NOWHERE
        },
    ),
    (
        "route_version",
        Fault {
            route: Some(0),
            version: Some("v2"),
            ..NOWHERE
        },
    ),
    ("everything", NOWHERE),
];

impl Fault {
    pub(super) fn covers(&self, endpoint: usize, route: usize) -> bool {
        self.endpoint.is_none_or(|one| one == endpoint)
            && self.zone.is_none_or(|zone| zone == ZONES[endpoint])
            && self.version.is_none_or(|one| one == VERSIONS[endpoint])
            && self.route.is_none_or(|one| one == route)
    }

    /// What a verdict is to say.
    pub(super) fn place(&self, endpoints: &[Endpoint]) -> Place {
        let with = match *self {
            Self {
                endpoint: Some(one),
                ..
            } => Some(Place::Endpoint(endpoints[one].address().into())),
            Self {
                zone: Some(zone), ..
            } => Some(Place::Zone(zone.into())),
            Self {
                version: Some(one), ..
            } => Some(Place::Version(one.into())),
            _ => None,
        };
        match (self.route, with) {
            (None, None) => Place::Everything,
            (None, Some(with)) => with,
            (Some(route), None) => Place::Route(ROUTES[route].into()),
            (Some(route), Some(with)) => Place::Pair {
                route: ROUTES[route].into(),
                with: Box::new(with),
            },
        }
    }
}
