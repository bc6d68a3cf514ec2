//! Versions of Rust.

use std::fmt;

/// A `rust-version`, compared as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version([u32; 3]);

impl Version {
    /// Reads `1.88` or `1.88.1`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut numbers = [0; 3];
        for (index, part) in text.split('.').enumerate() {
            *numbers.get_mut(index)? = part.parse().ok()?;
        }
        Some(Self(numbers))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}")?;
        if *patch > 0 {
            write!(f, ".{patch}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_as_numbers() {
        let version = |text| Version::parse(text).unwrap();
        assert!(version("1.100") > version("1.88.0"));
        assert!(version("1.88.1") > version("1.88"));
        assert_eq!(version("1.88"), version("1.88.0"));
        assert_eq!(version("1.88.0").to_string(), "1.88");
    }

    #[test]
    fn refuses_what_is_none() {
        for text in ["", "stable", "1.x", "1.2.3.4"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
