//! What tells the records of one layer apart.

use std::{
    fmt::Write as _,
    hash::{Hash, Hasher},
};

use crate::sync::Arc;

/// Characters of a key that are shown: enough for a host name or a tenant, and no room for a request.
const SHOWN: usize = 64;

/// What tells requests to one kind of service apart: a host, a tenant, a route.
///
/// A key lends from its request, however long it is: of a text, up to 64 characters are kept for people to see, without
/// those that control a terminal; of a secret, nothing is.
///
/// # Examples
///
/// ```
/// use buttress_core::Key;
///
/// assert_eq!(Key::from("tenant-7").name(1), "tenant-7".into());
/// assert_eq!(Key::caseless("Example.COM").name(1), "example.com".into());
/// assert_eq!(Key::pair("GET", "/orders/{id}").name(1), "GET /orders/{id}".into());
/// assert_eq!(Key::secret(b"a key of an API").name(0x1234_5678_9abc_def0), "#12345678".into());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Key<'a>(Part<'a>);

#[derive(Clone, Copy)]
enum Part<'a> {
    None,
    Text(&'a str),
    Caseless(&'a str),
    Pair(&'a str, &'a str),
    Number(u64),
    Secret(&'a [u8]),
}

impl<'a> Key<'a> {
    /// The request has none: all of these share one record.
    pub const NONE: Self = Self(Part::None);

    /// A text in which the case of ASCII letters makes no difference: a host.
    #[must_use]
    pub const fn caseless(text: &'a str) -> Self {
        Self(Part::Caseless(text))
    }

    /// Two texts together: a method and a route, a tenant and a shard.
    #[must_use]
    pub const fn pair(first: &'a str, second: &'a str) -> Self {
        Self(Part::Pair(first, second))
    }

    /// What nobody may see: it is shown as a number that means nothing outside of this process.
    #[must_use]
    pub const fn secret(bytes: &'a [u8]) -> Self {
        Self(Part::Secret(bytes))
    }

    /// What it is shown as, `number` being what stands for it where it cannot be shown whole.
    #[must_use]
    pub fn name(&self, number: u64) -> Arc<str> {
        let number = number >> 32;
        match self.0 {
            Part::None => "(none)".into(),
            Part::Text(text) => shown(text.chars(), number),
            Part::Caseless(text) => shown(text.chars().map(|one| one.to_ascii_lowercase()), number),
            Part::Pair(first, second) => {
                shown(first.chars().chain([' ']).chain(second.chars()), number)
            }
            Part::Number(number) => number.to_string().into(),
            Part::Secret(_) => format!("#{number:08x}").into(),
        }
    }
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(text: &'a str) -> Self {
        Self(Part::Text(text))
    }
}

impl From<u64> for Key<'_> {
    fn from(number: u64) -> Self {
        Self(Part::Number(number))
    }
}

/// No key where there is nothing.
impl<'a, T: Into<Self>> From<Option<T>> for Key<'a> {
    fn from(key: Option<T>) -> Self {
        key.map_or(Key::NONE, Into::into)
    }
}

/// What it consists of, and last what it is: no two keys that differ are the same bytes, for those that end a key occur
/// in no text.
impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let end = match self.0 {
            Part::None => 0xf8,
            Part::Text(text) => {
                state.write(text.as_bytes());
                0xf9
            }
            Part::Caseless(text) => {
                for piece in text.as_bytes().chunks(32) {
                    let mut lower = [0; 32];
                    lower[..piece.len()].copy_from_slice(piece);
                    // All of it: a fixed length takes a few instructions.
                    lower.make_ascii_lowercase();
                    state.write(&lower[..piece.len()]);
                }
                0xfa
            }
            Part::Pair(first, second) => {
                state.write(first.as_bytes());
                state.write_u8(0xff);
                state.write(second.as_bytes());
                0xfb
            }
            Part::Number(number) => {
                state.write_u64(number);
                0xfc
            }
            Part::Secret(bytes) => {
                state.write(bytes);
                0xfd
            }
        };
        state.write_u8(end);
    }
}

/// No secret in a log.
impl std::fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Text(text) => write!(f, "Text({text:?})"),
            Self::Caseless(text) => write!(f, "Caseless({text:?})"),
            Self::Pair(first, second) => write!(f, "Pair({first:?}, {second:?})"),
            Self::Number(number) => write!(f, "Number({number})"),
            Self::Secret(_) => f.write_str("Secret"),
        }
    }
}

/// Says which key a request has. Any `Fn(&Req) -> Key` does.
pub trait KeyOf<Req> {
    /// Its key.
    fn key<'a>(&self, request: &'a Req) -> Key<'a>;
}

impl<F, Req> KeyOf<Req> for F
where
    F: for<'a> Fn(&'a Req) -> Key<'a>,
{
    fn key<'a>(&self, request: &'a Req) -> Key<'a> {
        self(request)
    }
}

/// The first characters; of what is longer, `number` tells which it is.
fn shown(text: impl Iterator<Item = char>, number: u64) -> Arc<str> {
    let mut text = text.filter(|one| is_plain(*one));
    let mut name: String = text.by_ref().take(SHOWN).collect();
    if name.is_empty() {
        name.push_str("(empty)");
    }
    if text.next().is_some() {
        // Writing to a string cannot fail.
        let _ = write!(name, "…{number:08x}");
    }
    name.into()
}

/// Neither a control character nor one that turns a line around or breaks it (Unicode, UAX 9 and line separators).
fn is_plain(one: char) -> bool {
    !one.is_control()
        && !matches!(one, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::hash::{BuildHasher as _, RandomState};

    use super::*;

    fn shown(key: Key<'_>) -> String {
        key.name(0xabcd_0123_4567_89ab).to_string()
    }

    #[test]
    fn a_key_is_shown_in_few_characters_that_do_nothing() {
        let long = "x".repeat(8_000);
        for (key, name) in [
            (Key::NONE, "(none)".to_owned()),
            (Key::from(None::<&str>), "(none)".to_owned()),
            (Key::from(""), "(empty)".to_owned()),
            (Key::from("\u{1b}[2J\r\n\u{202e}db\0"), "[2Jdb".to_owned()),
            (Key::from(17), "17".to_owned()),
            (Key::from("x".repeat(64).as_str()), "x".repeat(64)),
            (
                Key::from(long.as_str()),
                format!("{}…abcd0123", "x".repeat(64)),
            ),
            (
                Key::from("ü".repeat(70).as_str()),
                format!("{}…abcd0123", "ü".repeat(64)),
            ),
            (Key::secret(b"hunter2"), "#abcd0123".to_owned()),
        ] {
            assert_eq!(shown(key), name);
        }
        assert!(!format!("{:?}", Key::secret(b"hunter2")).contains("hunter2"));
    }

    #[test]
    fn keys_are_told_apart_whole_and_hosts_whatever_their_case() {
        let hasher = RandomState::new();
        let hash = |key: Key<'_>| hasher.hash_one(key);
        let long = "host.".repeat(20);
        let upper = long.to_ascii_uppercase();
        assert_eq!(hash(Key::caseless(&long)), hash(Key::caseless(&upper)));
        assert_ne!(hash(Key::from(&*long)), hash(Key::from(&*upper)));
        let apart = [
            Key::NONE,
            Key::from(""),
            Key::from("1"),
            Key::from(1),
            Key::secret(b"1"),
            Key::caseless("1"),
            Key::pair("1", ""),
            Key::pair("", "1"),
            Key::caseless(&long),
            Key::caseless(&long[1..]),
        ];
        let hashes: std::collections::HashSet<u64> = apart.into_iter().map(hash).collect();
        assert_eq!(hashes.len(), apart.len());
    }
}
