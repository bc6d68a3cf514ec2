//! What may be told of an error's or a panic's own words.

/// The most characters that are told.
const LONGEST: usize = 200;

/// The most that is looked at: a panic may print all it had in hand.
const LOOKED_AT: usize = 4096;

/// So long a word of digits and letters is a key, a hash, a token or an identifier.
const LONG: usize = 20;

/// So many digits are an account, a card or a telephone.
const DIGITS: usize = 7;

/// What stands for what is not told.
const HIDDEN: &str = "[…]";

/// What is left out of the words that a service panics or fails with. They go into events, logs and pages, which more people
/// read than may know what it was about.
///
/// Whatever is told is one line of at most 200 characters, without control characters or any that change the direction of
/// text, for it must not forge a log or a page.
///
/// Nobody can know what is secret from its looks; [`Values`](Self::Values) knows where secrets and personal data usually stand,
/// and [`Everything`](Self::Everything) is sure.
///
/// # Examples
///
/// ```
/// use buttress_core::Redact;
///
/// let panic = "called `unwrap()` on an `Err` value: Custom { error: \"no such user: bob\" }\nat https://me:pw@db/?key=1";
/// assert_eq!(
///     Redact::Values.apply(panic),
///     "called `unwrap()` on an `Err` value: Custom { error: \"[…]\" } at https://[…]@db/?[…]",
/// );
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Redact {
    /// What stands in double quotes (which is how Rust prints values), credentials and queries of URLs, mail addresses, what
    /// follows words like `token` or `password`, and words that are long or hold many digits.
    #[default]
    Values,
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
}

impl Redact {
    /// What may be told of `text`.
    #[must_use]
    pub fn apply(self, text: &str) -> String {
        let looked_at = text
            .char_indices()
            .nth(LOOKED_AT)
            .map_or(text, |(end, _)| &text[..end]);
        match self {
            Self::Values => short(&redacted(&one_line(looked_at))),
            Self::Nothing => short(&one_line(looked_at)),
            Self::Everything => HIDDEN.to_owned(),
        }
    }
}

/// Whatever ends a line or cannot be seen becomes a space, and several of them one.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for char in text.chars() {
        if !char.is_whitespace() && !is_unseen(char) {
            line.push(char);
        } else if !line.is_empty() && !line.ends_with(' ') {
            line.push(' ');
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// Control characters, and those that change the direction of text or take no place (Trojan Source, CVE-2021-42574).
fn is_unseen(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

fn short(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        None => line.to_owned(),
        Some(_) => line.chars().take(LONGEST - 1).chain(['…']).collect(),
    }
}

fn redacted(line: &str) -> String {
    let mut told = String::with_capacity(line.len());
    let mut guarded = false;
    for word in unquoted(line).split(' ') {
        if !told.is_empty() {
            told.push(' ');
        }
        let value = std::mem::take(&mut guarded);
        // The name of a scheme may stand between `Authorization:` and the secret.
        let scheme = value && is_scheme(word);
        if value && !scheme {
            told.push_str(HIDDEN);
            continue;
        }
        told.push_str(&redacted_word(word));
        guarded = scheme
            || word.eq_ignore_ascii_case("bearer")
            || word.ends_with([':', '=']) && names_secret(word);
    }
    told
}

/// What stands in double quotes is a value. A quote that is not closed runs to the end.
fn unquoted(line: &str) -> String {
    let (mut told, mut rest) = (String::with_capacity(line.len()), line);
    while let Some((before, quoted)) = rest.split_once('"') {
        told.push_str(before);
        let end = closing(quoted);
        if end > 0 {
            told.push('"');
            told.push_str(HIDDEN);
            told.push('"');
        } else {
            told.push_str("\"\"");
        }
        rest = quoted.get(end + 1..).unwrap_or_default();
    }
    told + rest
}

/// Where the quote closes that has been opened before: at a `"` that is not escaped.
fn closing(quoted: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in quoted.bytes().enumerate() {
        match byte {
            b'"' if !escaped => return at,
            _ => escaped = byte == b'\\' && !escaped,
        }
    }
    quoted.len()
}

fn redacted_word(word: &str) -> String {
    if let Some((scheme, rest)) = word.split_once("://") {
        return format!("{scheme}://{}", redacted_url(rest));
    }
    if let Some((name, value)) = word.split_once(['=', ':'])
        && !value.is_empty()
        && names_secret(name)
    {
        return format!("{}{HIDDEN}", &word[..=name.len()]);
    }
    // An address has something on both sides of its sign.
    let mail = word.split_once('@').is_some_and(|(who, host)| {
        who.ends_with(char::is_alphanumeric) && host.starts_with(char::is_alphanumeric)
    });
    if mail {
        return HIDDEN.to_owned();
    }
    without_keys(word)
}

fn redacted_url(rest: &str) -> String {
    let (rest, query) = rest
        .split_once(['?', '#'])
        .map_or((rest, ""), |(rest, _)| (rest, HIDDEN));
    let mark = if query.is_empty() { "" } else { "?" };
    let path = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(path);
    let (who, host) = authority
        .rsplit_once('@')
        .map_or(("", authority), |(_, host)| (HIDDEN, host));
    let at = if who.is_empty() { "" } else { "@" };
    format!("{who}{at}{host}{}{mark}{query}", without_keys(path))
}

/// Hides what looks like a key within a word: long runs of letters and digits, and many digits.
fn without_keys(word: &str) -> String {
    let mut told = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let in_run = is_of_key(first);
        let end = rest
            .find(|char| is_of_key(char) != in_run)
            .unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        told.push_str(if in_run && looks_like_key(run) {
            HIDDEN
        } else {
            run
        });
        rest = after;
    }
    told
}

fn is_of_key(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '-' | '_' | '+')
}

/// Long with a digit in it, or of many digits. Long names of types and modules have neither.
fn looks_like_key(run: &str) -> bool {
    let digits = run.chars().filter(char::is_ascii_digit).count();
    digits >= DIGITS || digits > 0 && run.chars().count() >= LONG
}

fn names_secret(word: &str) -> bool {
    const NAMES: [&str; 12] = [
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "secret",
        "token",
        "apikey",
        "api_key",
        "api-key",
        "credential",
        "authorization",
        "cookie",
    ];
    let word = word.to_lowercase();
    NAMES.iter().any(|name| word.contains(name))
}

fn is_scheme(word: &str) -> bool {
    ["bearer", "basic", "digest"].contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hides_what_is_a_value_and_tells_the_words() {
        for (text, told) in [
            ("index out of bounds: the len is 3 but the index is 7", None),
            ("connection refused (os error 111)", None),
            ("assertion `left == right` failed left: 1 right: 2", None),
            ("tcp connect error: 10.0.0.1:5432", None),
            (
                "no route `/orders/{id}` in my_service::handlers::orders_of_customers",
                None,
            ),
            (
                "user \"bob\" said \"\" and \"a \\\" b\"!",
                Some("user \"[…]\" said \"\" and \"[…]\"!"),
            ),
            ("an open \"quote", Some("an open \"[…]\"")),
            (
                "postgres://me:pw@db:5432/orders?sslkey=x",
                Some("postgres://[…]@db:5432/orders?[…]"),
            ),
            (
                "https://db/reset/4f3c2b1a4f3c2b1a4f3c2b1a",
                Some("https://db/reset/[…]"),
            ),
            (
                "mail to bob@example.com bounced",
                Some("mail to […] bounced"),
            ),
            ("password=hunter2 user=7", Some("password=[…] user=7")),
            (
                "Authorization: Bearer abc refused",
                Some("Authorization: Bearer […] refused"),
            ),
            ("API_KEY: xyz", Some("API_KEY: […]")),
            ("Basic digest of layer differs", None),
            ("card 4111-1111-1111-1111", Some("card […]")),
            (
                "key eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.x",
                Some("key […].[…].x"),
            ),
        ] {
            assert_eq!(Redact::Values.apply(text), told.unwrap_or(text), "{text}");
        }
    }

    #[test]
    fn one_line_that_forges_nothing() {
        for text in [
            "a\nb",
            "a\r\n\tb",
            "a\u{1b}b",
            "a\u{202e} \u{2028}b\u{200b}",
            " a b ",
        ] {
            assert_eq!(Redact::Nothing.apply(text), "a b", "{text:?}");
        }
        assert_eq!(Redact::Nothing.apply("\u{1b}[31mred"), "[31mred");
    }

    #[test]
    fn is_cut_between_characters() {
        let told = Redact::Nothing.apply(&"ä".repeat(201));
        assert_eq!((told.chars().count(), told.ends_with("ä…")), (200, true));
        assert_eq!(Redact::Nothing.apply(&"ä".repeat(200)).chars().count(), 200);
    }

    #[test]
    fn nothing_is_told_where_all_is_hidden() {
        assert_eq!(Redact::Everything.apply("anything"), HIDDEN);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_leaves_its_line(text in any::<String>(), quotes in "[\"\\\\a @:=/?1-]{0,300}") {
            for text in [text, quotes] {
                for mode in [Redact::Values, Redact::Nothing, Redact::Everything] {
                    let told = mode.apply(&text);
                    prop_assert!(told.chars().count() <= LONGEST);
                    prop_assert!(!told.chars().any(is_unseen));
                }
            }
        }

        #[test]
        fn nothing_in_quotes_is_told(before in "[a-z ]{0,20}", secret in "[a-z]{7,30}", after in "[a-z ]{0,20}") {
            prop_assume!(!before.contains(&secret) && !after.contains(&secret));
            let text = format!("{before}{secret:?}{after}");
            prop_assert!(!Redact::Values.apply(&text).contains(&secret));
        }
    }
}
