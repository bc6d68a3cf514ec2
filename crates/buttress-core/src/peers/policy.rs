//! What the others of a set may say about one endpoint.

use super::{Tally, deviation::Deviation, outlier::outliers};

/// The rule by which every 10 s the endpoints of a set are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum PeersPolicy {
    /// One is out if it fails more often than the others explain: a leave-one-out binomial test, from two endpoints up,
    /// wrong once in ten thousand comparisons of a healthy set. The default.
    #[default]
    Binomial,
    /// One is out if its success rate lies 1.9 standard deviations below the mean, from five endpoints with 100 calls each
    /// up: Envoy's rule, for those who want what they had. It ejects healthy ones, and never two sick ones of five.
    Deviation,
    /// Nobody is compared.
    Off,
}

impl PeersPolicy {
    /// Who stands out, by index.
    pub(crate) fn outliers(self, set: &[Tally], tolerable: f64) -> Vec<usize> {
        let out: Vec<bool> = match self {
            Self::Binomial => outliers(set, tolerable)
                .iter()
                .map(|judgement| judgement.outlier)
                .collect(),
            Self::Deviation => Deviation::ENVOY.outliers(set),
            Self::Off => Vec::new(),
        };
        (0..out.len()).filter(|index| out[*index]).collect()
    }
}
