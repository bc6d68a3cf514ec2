//! Facts and decisions of the [buttress] fault-tolerance layers.
//!
//! Everything here is a pure function of state, event, `now` and randomness that was handed in: no I/O, no task, no
//! HTTP, no clock of its own. Users name the `buttress` crate, which re-exports what they need; this crate is for
//! protocols, exporters and tests.
//!
//! ```text
//! request   admit ─► attempt ─► classify ─► finish ─► next step?
//!           Vitals    Attempt    Protocol    Attempt   Redundancy
//!
//! fact      attempt ends ─► Outcome ─► Vitals::record
//!                                       ├ judge   Detector  → alarm
//!                                       ├ act     Breaker   → change
//!                                       ├ count   Counts, Ledger of episodes
//!                                       └ tell    Events (bounded, never blocking)
//!           page, scrape, alert ─► Registry::snapshot
//! ```
//!
//! # Examples
//!
//! No tower at all: ask, call, report.
//!
//! ```
//! use buttress_core::{Clock, Host, Nanos, Outcome, Rules, Vitals};
//!
//! let vitals = Vitals::new("db", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
//! let attempt = vitals.admit()?; // Err(Refusal) while the breaker is open
//! attempt.finish(Outcome::Success); // dropped instead: counted as cancelled
//! assert_eq!(vitals.snapshot(Nanos::ZERO).counts.successes, 1);
//! # Ok::<(), buttress_core::Refusal>(())
//! ```
//!
//! [buttress]: https://docs.rs/buttress

mod attempt;
mod backoff;
mod blame;
mod breaker;
mod budget;
mod call;
mod describe;
mod destination;
mod endpoint;
mod enforce;
mod event;
mod explain;
mod fence;
mod health;
mod key;
mod limit;
mod locate;
mod math;
mod outcome;
mod peers;
mod permit;
mod pick;
mod policy_error;
mod priority;
mod probe;
mod protocol;
mod random;
mod receipt;
mod reconnect;
mod redact;
mod redundancy;
mod refusal;
mod registry;
mod stats;
mod supervise;
mod sync;
mod time;
mod unknown_name;
mod value;
mod vitals;
mod wall;

pub use attempt::Attempt;
pub use backoff::{Backoff, BackoffPolicy, Jitter};
pub use blame::{Blame, Blamed};
pub use breaker::{BreakerPolicy, BreakerState, Growth, RampPolicy, TrialPolicy};
pub use budget::{Budget, RESERVE};
pub use call::Call;
pub use describe::{Describe, Labels, Stamp};
pub use destination::{CallCounts, Calls, Destination, Hold, PanicMode};
pub use endpoint::{Endpoint, InvalidEndpoint};
pub use enforce::{Enforce, EnforcePolicy, Rule};
pub use event::{Event, EventKind, Events, Recent};
pub use explain::{Delay, Explanation, Threshold, Traffic};
pub use fence::{Fence, StaleEpoch};
pub use health::{
    EwmaPolicy, Health, HealthPolicy, PhiPolicy, RatePolicy, Rhythm, SlowPolicy, Window,
};
pub use key::{Key, KeyOf};
pub use limit::{AdaptivePolicy, Admission, Ask, LimitPolicy, ShedPolicy, ThrottlePolicy, Ticket};
pub use locate::{FaultKind, Place, Suspect, Verdict};
pub use outcome::{Cause, Origin, Outcome, Sign};
pub use peers::{EjectionPolicy, PeersPolicy, Tally};
pub use permit::Permit;
pub use pick::{PickPolicy, Picker};
pub use policy_error::PolicyError;
pub use priority::Priority;
pub use probe::{Edge, ProbePolicy, Rota};
pub use protocol::{Discard, Favoured, Protocol, Resend};
pub use receipt::{Due, End, Receipt};
pub use reconnect::ReconnectPolicy;
pub use redact::Redact;
pub use redundancy::{
    Ended, HedgeAfter, HedgePolicy, MAX_ATTEMPTS, Progress, QuorumPolicy, Redundancy, Step,
};
pub use refusal::{Limiter, Refusal};
pub use registry::{Registry, Snapshot};
pub use stats::{
    Causes, Counts, Coverage, Decided, Decisions, Episode, Recovery, Reliability, Trend,
};
pub use supervise::{Next, Restart, Supervision, SupervisorPolicy};
pub use time::{Clock, Nanos};
pub use unknown_name::UnknownName;
#[cfg(feature = "serde")]
pub use value::duration_text;
pub use value::{Ratio, parse_duration, print_duration};
pub use vitals::{Entrance, Force, Host, Parts, Rules, Vitals};
