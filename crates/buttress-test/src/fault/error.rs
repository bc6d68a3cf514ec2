use std::{error::Error, fmt, io, sync::Arc};

/// Which fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// An error with no further cause.
    Error,
    /// An error whose source is an [`io::Error`] of kind `ConnectionReset`.
    Reset,
}

/// The error of a call that a [`FaultLayer`](crate::FaultLayer) has failed.
#[derive(Debug)]
pub struct InjectedFault {
    kind: FaultKind,
    label: Option<Arc<str>>,
    source: Option<io::Error>,
}

impl InjectedFault {
    pub(super) fn new(kind: FaultKind, label: Option<Arc<str>>) -> Self {
        Self {
            kind,
            label,
            source: (kind == FaultKind::Reset).then(|| io::ErrorKind::ConnectionReset.into()),
        }
    }

    /// Which fault it was.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        self.kind
    }

    /// The label of the layer that injected it.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }
}

impl fmt::Display for InjectedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            FaultKind::Error => "injected error",
            FaultKind::Reset => "injected connection reset",
        })?;
        match &self.label {
            Some(label) => write!(f, " at {label}"),
            None => Ok(()),
        }
    }
}

impl Error for InjectedFault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
