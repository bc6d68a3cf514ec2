//! Where a fault is.

use std::{fmt, sync::Arc};

use super::candidate::{Candidate, Dimension};

/// Where a fault is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Place {
    /// Wherever calls go.
    Everything,
    /// In this process.
    Ourselves,
    /// At one endpoint.
    Endpoint(Arc<str>),
    /// In one zone.
    Zone(Arc<str>),
    /// With one version.
    Version(Arc<str>),
    /// On one route.
    Route(Arc<str>),
    /// With one method.
    Method(Arc<str>),
    /// On one route, at one endpoint, in one zone or with one version only.
    Pair {
        /// The route.
        route: Arc<str>,
        /// Where it fails.
        with: Box<Self>,
    },
}

impl Place {
    /// The place of a candidate, its labels named by `names`.
    pub(crate) fn of(candidate: Candidate, names: &dyn Fn(Dimension, u16) -> Arc<str>) -> Self {
        match candidate {
            Candidate::Everything => Self::Everything,
            Candidate::Single(dimension, label) => {
                let name = names(dimension, label);
                match dimension {
                    Dimension::Endpoint => Self::Endpoint(name),
                    Dimension::Zone => Self::Zone(name),
                    Dimension::Version => Self::Version(name),
                    Dimension::Route => Self::Route(name),
                    Dimension::Method => Self::Method(name),
                }
            }
            Candidate::Pair { route, with, label } => Self::Pair {
                route: names(Dimension::Route, route),
                with: Box::new(Self::of(Candidate::Single(with, label), names)),
            },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Ourselves => f.write_str("this process"),
            Self::Endpoint(name) => write!(f, "endpoint {name}"),
            Self::Zone(name) => write!(f, "zone {name}"),
            Self::Version(name) => write!(f, "version {name}"),
            Self::Route(name) => write!(f, "route {name}"),
            Self::Method(name) => write!(f, "method {name}"),
            Self::Pair { route, with } => {
                let preposition = match **with {
                    Self::Zone(_) => "in",
                    Self::Version(_) => "with",
                    _ => "at",
                };
                write!(f, "route {route} {preposition} {with}")
            }
        }
    }
}
