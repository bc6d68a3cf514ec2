//! The one place that reads a clock.

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use buttress_core::{Clock, Nanos};
use tokio::time::Instant;

/// The clock of every layer: monotonic, and tokio's, so that a paused clock in a test drives them all.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use std::time::Duration;
/// use buttress::CLOCK;
///
/// let before = CLOCK.now();
/// tokio::time::advance(Duration::from_secs(3600)).await;
/// assert_eq!(CLOCK.now().since(before), Duration::from_secs(3600));
/// # }
/// ```
pub const CLOCK: Clock = Clock(read);

#[expect(clippy::disallowed_methods, reason = "the one clock")]
fn read() -> Nanos {
    Nanos::ZERO.after(Instant::now().saturating_duration_since(origin()))
}

/// What the clock on the wall says of [`Nanos::ZERO`]: for labels.
#[expect(clippy::disallowed_methods, reason = "the one clock, and a label")]
pub(crate) fn epoch() -> SystemTime {
    let ago = CLOCK.now().since(Nanos::ZERO);
    SystemTime::now()
        .checked_sub(ago)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The same point in time as a timer takes it.
pub(crate) fn instant(at: Nanos) -> Instant {
    let origin = origin();
    // Where it cannot be represented it is centuries away: a day will do, and the timer is looked at again then.
    let far = Duration::from_secs(24 * 60 * 60);
    origin
        .checked_add(at.since(Nanos::ZERO))
        .unwrap_or_else(|| instant(CLOCK.now().after(far)))
}

/// A point before every runtime of this process. A paused runtime stands at the time it was made, which may be before
/// the first look at a clock; and where one test's paused clock has run ahead, another's must not stand before zero.
#[expect(clippy::disallowed_methods, reason = "the one clock")]
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(|| {
        let now = std::time::Instant::now();
        let earlier = [24 * 3600, 3600, 60, 1].map(Duration::from_secs);
        let origin = earlier
            .into_iter()
            .find_map(|span| now.checked_sub(span))
            .unwrap_or(now);
        Instant::from_std(origin)
    })
}
