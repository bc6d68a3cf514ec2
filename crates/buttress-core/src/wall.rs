//! Wall time: a label for people, never a reason.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// A wall time as people write it: `2026-11-24 11:37:08 UTC`, or, for machines, as RFC 3339 with milliseconds. Times
/// before 1970 are 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wall(Duration);

impl Wall {
    pub(crate) fn of(time: SystemTime) -> Self {
        Self(
            time.duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default(),
        )
    }

    /// Year, month and day of the proleptic Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
    const fn date(self) -> (u64, u64, u64) {
        let days = self.0.as_secs() / 86_400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        // Months from March on: the leap day is the year's last.
        let march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * march + 2) / 5 + 1;
        let month = if march < 10 { march + 3 } else { march - 9 };
        let year = year + era * 400 + if month <= 2 { 1 } else { 0 };
        (year, month, day)
    }

    const fn time(self) -> (u64, u64, u64) {
        let second = self.0.as_secs() % 86_400;
        (second / 3_600, second / 60 % 60, second % 60)
    }

    /// As machines read it.
    #[cfg(feature = "serde")]
    fn rfc3339(self) -> impl fmt::Display {
        let ((year, month, day), (hour, minute, second)) = (self.date(), self.time());
        let millis = self.0.subsec_millis();
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((year, month, day), (hour, minute, second)) = (self.date(), self.time());
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"
        )
    }
}

/// Serializes a label as RFC 3339.
#[cfg(feature = "serde")]
pub(crate) fn serialize<S: serde::Serializer>(
    time: &Option<SystemTime>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to.collect_str(&Wall::of(*time).rfc3339()),
        None => to.serialize_none(),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn at(seconds: u64) -> String {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Wall::of(time).to_string()
    }

    #[test]
    fn leap_days_ends_of_centuries_and_the_beginning() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (951_868_799, "2000-02-29 23:59:59 UTC"),
            (951_868_800, "2000-03-01 00:00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59:59 UTC"),
            (1_795_520_228, "2026-11-24 11:37:08 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(at(seconds), text);
        }
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Wall::of(before).to_string(), "1970-01-01 00:00:00 UTC");
    }
}
