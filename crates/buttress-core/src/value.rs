//! Small values that policies are made of.

use std::{fmt, time::Duration};

use crate::PolicyError;

/// The longest span a policy may hold: one day. Longer ones are typing errors, and some overflow clocks.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A share between nothing and all, as plain data: [`Ratio::check`] tells whether it is one.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(transparent)
)]
pub struct Ratio(f64);

impl Ratio {
    /// A share of one: `Ratio::new(0.25)` is a quarter.
    #[must_use]
    pub const fn new(share: f64) -> Self {
        Self(share)
    }

    /// A share of a hundred: `Ratio::percent(25)` is a quarter.
    #[must_use]
    pub fn percent(percent: impl Into<f64>) -> Self {
        Self(percent.into() / 100.0)
    }

    /// The share as a number.
    #[must_use]
    pub const fn as_f64(self) -> f64 {
        self.0
    }

    /// Is it within `0..=1`?
    ///
    /// # Errors
    ///
    /// Names `field` when it is not, or is no number at all.
    pub fn check(self, field: &'static str) -> Result<(), PolicyError> {
        if (0.0..=1.0).contains(&self.0) {
            return Ok(());
        }
        Err(PolicyError::new(field, self.0, "a ratio from 0 to 1"))
    }

    /// The same where nothing at all would mean always, or never.
    pub(crate) fn check_above_zero(self, field: &'static str) -> Result<(), PolicyError> {
        if self.0 > 0.0 && self.0 <= 1.0 {
            return Ok(());
        }
        Err(PolicyError::new(
            field,
            self.0,
            "a ratio above 0 and up to 1",
        ))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0 * 100.0)
    }
}

/// Is a span of a policy within one millisecond and one day?
pub(crate) fn check_span(field: &'static str, span: Duration) -> Result<(), PolicyError> {
    if (Duration::from_millis(1)..=LONGEST).contains(&span) {
        return Ok(());
    }
    Err(PolicyError::new(field, print_duration(span), "1ms to 24h"))
}

/// Units a span may be written in, largest first, with their nanoseconds.
const UNITS: [(&str, u128); 8] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

/// Prints a span in the largest unit that holds it whole: `1500 ms` is `"1500ms"`, `2 s` is `"2s"`.
#[must_use]
pub fn print_duration(span: Duration) -> String {
    let nanos = span.as_nanos();
    UNITS
        .iter()
        .find(|(_, unit)| nanos >= *unit && nanos.is_multiple_of(*unit))
        .map_or_else(
            || "0s".to_owned(),
            |(name, unit)| format!("{}{name}", nanos / unit),
        )
}

/// Reads a span: a number with an optional fraction, and a unit of `d h m s ms us µs ns`.
///
/// # Errors
///
/// Says what was read and what would do. Nothing a file can hold makes it panic.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// assert_eq!(buttress_core::parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
/// assert!(buttress_core::parse_duration("10").is_err());
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "{text:?} is no duration: write a number and a unit, like \"250ms\", \"1.5s\" or \"2m\""
        )
    };
    let trimmed = text.trim();
    let digits = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .ok_or_else(wrong)?;
    let (number, unit) = trimmed.split_at(digits);
    let unit = unit.trim_start();
    let (_, scale) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(wrong)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty()
        || (number.contains('.') && fraction.is_empty())
        || fraction.len() > 9
        || fraction.contains('.')
    {
        return Err(wrong());
    }
    let too_long = || format!("{text:?} is too long; at most 24h will do");
    let whole: u64 = whole.parse().map_err(|_| too_long())?;
    // At most nine digits: the product stays far below u128's end.
    let fraction = match fraction {
        "" => 0,
        digits => {
            digits.parse::<u128>().map_err(|_| wrong())? * scale / 10_u128.pow(digits.len() as u32)
        }
    };
    let nanos = u128::from(whole) * scale + fraction;
    u64::try_from(nanos)
        .map(Duration::from_nanos)
        .map_err(|_| too_long())
}

/// `#[serde(with = "duration_text")]`: a span as text, in files that people write.
#[cfg(feature = "serde")]
pub mod duration_text {
    use std::{fmt, time::Duration};

    use serde::{
        Deserializer, Serializer,
        de::{Error, Visitor},
    };

    /// Writes a span in its largest whole unit.
    ///
    /// # Errors
    ///
    /// Only the serializer's own.
    pub fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::print_duration(*span))
    }

    /// Reads a span.
    ///
    /// # Errors
    ///
    /// Says what was read and what would do.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        from.deserialize_str(Text)
    }

    struct Text;

    impl Visitor<'_> for Text {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a duration in quotes, like \"250ms\", \"1.5s\" or \"2m\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
            super::parse_duration(text).map_err(E::custom)
        }
    }

    /// The same for a span that may be absent.
    pub mod option {
        use std::time::Duration;

        use serde::{Deserializer, Serializer};

        /// Writes a span, or nothing.
        ///
        /// # Errors
        ///
        /// Only the serializer's own.
        pub fn serialize<S: Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
            match span {
                Some(span) => super::serialize(span, to),
                None => to.serialize_none(),
            }
        }

        /// Reads a span.
        ///
        /// # Errors
        ///
        /// Says what was read and what would do.
        pub fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<Duration>, D::Error> {
            super::deserialize(from).map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, nanos) in [
            ("250ms", 250_000_000),
            ("1.5s", 1_500_000_000),
            ("2m", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("0.5 s", 500_000_000),
            ("7us", 7_000),
            ("7µs", 7_000),
            ("9ns", 9),
            ("0s", 0),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_nanos(nanos)),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "1.s",
            ".5s",
            "1e3s",
            "NaNs",
            "infs",
            "1 fortnight",
            "99999999999999999999h",
            "1..5s",
            "18446744073709551615h",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_ratio_above_one_or_no_number_is_named() {
        for share in [1.01, -0.1, f64::NAN, f64::INFINITY] {
            assert_eq!(
                Ratio::new(share).check("extra_load").unwrap_err().field(),
                "extra_load"
            );
        }
        assert!(Ratio::percent(100).check("extra_load").is_ok());
    }

    proptest! {
        #[test]
        fn every_duration_survives_its_text(nanos: u64) {
            let span = Duration::from_nanos(nanos);
            prop_assert_eq!(parse_duration(&print_duration(span)), Ok(span));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,40}") {
            let _ = parse_duration(&text);
        }
    }
}
