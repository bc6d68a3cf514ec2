//! One outage.

use std::{fmt, time::Duration};

use crate::{Causes, Nanos, Verdict, sync::Arc};

/// One outage of one endpoint.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Episode {
    /// When the trouble began: the start of the earliest call of the evidence.
    pub broke: Nanos,
    /// When it was noticed.
    pub detected: Nanos,
    /// When a probe was good for the first time on the way back.
    pub repaired: Option<Nanos>,
    /// When calls flowed again; absent while it lasts.
    pub restored: Option<Nanos>,
    /// The calls lost to it, by cause.
    pub causes: Causes,
    /// Did it fall ill again within ten times as long as this one had lasted? Then the recovery was none.
    pub relapsed: bool,
    /// Where the fault was, as far as the calls told.
    pub verdict: Option<Arc<Verdict>>,
}

impl Episode {
    /// How long it took to notice.
    #[must_use]
    pub const fn time_to_detect(&self) -> Duration {
        self.detected.since(self.broke)
    }

    /// How long it has lasted, `now` being the end of one that still does.
    #[must_use]
    pub fn lasted(&self, now: Nanos) -> Duration {
        self.restored.unwrap_or(now).since(self.broke)
    }
}

/// One sentence for people.
impl fmt::Display for Episode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = |at: Nanos| at.since(self.broke).as_secs_f64();
        write!(f, "noticed {:.2} s after it began", after(self.detected))?;
        match (self.repaired, self.restored) {
            (_, Some(restored)) => write!(f, ", over {:.2} s after", after(restored))?,
            (Some(repaired), None) => {
                write!(f, ", answering again {:.2} s after", after(repaired))?;
            }
            (None, None) => f.write_str(", not over")?,
        }
        write!(f, "; {} calls lost", self.causes.total())?;
        for (cause, count) in self.causes.iter() {
            write!(f, ", {count} {}", cause.name())?;
        }
        if self.relapsed {
            f.write_str("; it fell ill again soon after")?;
        }
        match &self.verdict {
            Some(verdict) => write!(f, "; {verdict}"),
            None => Ok(()),
        }
    }
}
