//! Whether a decision is carried out, or only noted down.

mod policy;

use std::fmt;

use crate::random::unit;
pub use policy::{EnforcePolicy, Rule};

/// How many of a rule's decisions are carried out. The others are noted down as they would have been, which shows what
/// a rule would do before it does it. Written `"on"`, `"off"` or `"25%"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enforce(u8);

impl Enforce {
    /// All of them. The default.
    pub const ON: Self = Self(100);
    /// None.
    pub const OFF: Self = Self(0);

    /// This share of them, drawn each time. More than 100 is 100.
    #[must_use]
    pub const fn percent(percent: u8) -> Self {
        Self(if percent > 100 { 100 } else { percent })
    }

    /// Is the decision for which `draw` was drawn carried out?
    pub(crate) fn hits(self, draw: u64) -> bool {
        unit(draw) * 100.0 < f64::from(self.0)
    }
}

impl Default for Enforce {
    fn default() -> Self {
        Self::ON
    }
}

impl fmt::Display for Enforce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ON => f.write_str("on"),
            Self::OFF => f.write_str("off"),
            Self(percent) => write!(f, "{percent}%"),
        }
    }
}

impl std::str::FromStr for Enforce {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = |text: &str| {
            text.trim_end()
                .parse()
                .ok()
                .filter(|percent| *percent <= 100)
        };
        match text {
            "on" => Ok(Self::ON),
            "off" => Ok(Self::OFF),
            _ => (text.strip_suffix('%').and_then(percent).map(Self))
                .ok_or_else(|| format!("{text:?} does not say what to enforce: write \"on\", \"off\" or a share like \"25%\"")),
        }
    }
}

#[cfg(feature = "serde")]
mod data {
    use std::fmt;

    use serde::{
        Deserialize, Deserializer, Serialize, Serializer,
        de::{Error, Visitor},
    };

    use super::Enforce;

    impl Serialize for Enforce {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.collect_str(self)
        }
    }

    impl<'de> Deserialize<'de> for Enforce {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            from.deserialize_str(Text)
        }
    }

    struct Text;

    impl Visitor<'_> for Text {
        type Value = Enforce;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("\"on\", \"off\" or a share like \"25%\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Enforce, E> {
            text.parse().map_err(E::custom)
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::random::Draws;

    #[test]
    fn reads_what_it_prints_and_refuses_the_rest() {
        for share in [Enforce::ON, Enforce::OFF, Enforce::percent(25)] {
            assert_eq!(share.to_string().parse(), Ok(share));
        }
        for text in ["", "yes", "101%", "-1%", "2.5%", "%", "25"] {
            assert!(text.parse::<Enforce>().is_err(), "{text}");
        }
        assert_eq!(Enforce::percent(200), Enforce::ON);
    }

    #[test]
    fn carries_out_its_share() {
        for (share, least, most) in [
            (Enforce::ON, 1000, 1000),
            (Enforce::OFF, 0, 0),
            (Enforce::percent(25), 200, 300),
        ] {
            let mut draws = Draws::seeded(1);
            let hits = (0..1000).filter(|_| share.hits(draws.next())).count();
            assert!((least..=most).contains(&hits), "{share}: {hits}");
        }
    }
}
