//! A frame that is kept.

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

/// A frame that is kept.
#[derive(Debug)]
pub(super) enum Part {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl Part {
    pub(super) fn of(frame: &Frame<Bytes>) -> Option<Self> {
        let data = frame.data_ref().cloned().map(Self::Data);
        data.or_else(|| frame.trailers_ref().cloned().map(Self::Trailers))
    }

    /// What it costs to keep it: no less than its place, or many small frames would take a multiple of what may be kept.
    pub(super) fn cost(&self) -> usize {
        let text = match self {
            Self::Data(data) => data.len(),
            Self::Trailers(trailers) => trailers
                .iter()
                .map(|(name, value)| name.as_str().len() + value.len())
                .sum(),
        };
        text.max(size_of::<Self>())
    }

    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Data(data) => data.len(),
            Self::Trailers(_) => 0,
        }
    }
}

impl From<Part> for Frame<Bytes> {
    fn from(part: Part) -> Self {
        match part {
            Part::Data(data) => Self::data(data),
            Part::Trailers(trailers) => Self::trailers(trailers),
        }
    }
}
