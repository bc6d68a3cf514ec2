//! A `no` that programs can read: `application/problem+json` (RFC 9457).

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

/// What is said beside the status.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Problem<'a> {
    pub(crate) status: StatusCode,
    /// For people.
    pub(crate) detail: &'a str,
    /// For programs: one word that stays what it is.
    pub(crate) reason: &'a str,
    /// In seconds, as in the header.
    pub(crate) retry_after: Option<u64>,
}

impl Problem<'_> {
    pub(crate) fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.text()));
        *response.status_mut() = self.status;
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }

    /// Its `type` is `about:blank`, so its `title` is that of the status (§4.2.1).
    fn text(&self) -> String {
        let mut text = String::with_capacity(160 + self.detail.len());
        text.push_str(r#"{"type":"about:blank","title":"#);
        quote(&mut text, self.status.canonical_reason().unwrap_or("Error"));
        text.push_str(r#","status":"#);
        text.push_str(self.status.as_str());
        text.push_str(r#","detail":"#);
        quote(&mut text, self.detail);
        text.push_str(r#","reason":"#);
        quote(&mut text, self.reason);
        if let Some(seconds) = self.retry_after {
            // Writing to a string does not fail.
            let _ = write!(text, r#","retry_after":{seconds}"#);
        }
        text.push_str("}\n");
        text
    }
}

/// As JSON wants it (RFC 8259 §7): quotes, backslashes and control characters escaped, all else as it is.
fn quote(text: &mut String, words: &str) {
    text.push('"');
    for letter in words.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\0'..='\x1f' => {
                let _ = write!(text, "\\u{:04x}", u32::from(letter));
            }
            _ => text.push(letter),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(detail: &str, retry_after: Option<u64>) -> String {
        Problem {
            status: StatusCode::SERVICE_UNAVAILABLE,
            detail,
            reason: "open",
            retry_after,
        }
        .text()
    }

    #[test]
    fn says_what_the_rfc_names_and_what_helps() {
        assert_eq!(
            problem("circuit open", Some(2)),
            concat!(
                r#"{"type":"about:blank","title":"Service Unavailable","status":503,"#,
                r#""detail":"circuit open","reason":"open","retry_after":2}"#,
                "\n"
            )
        );
        assert!(!problem("circuit open", None).contains("retry_after"));
    }

    #[test]
    fn whatever_is_said_stays_one_string() {
        let mut text = String::new();
        quote(&mut text, "a\"b\\c\nd\te\u{0}f\u{7f}ü\u{2028}");
        assert_eq!(text, "\"a\\\"b\\\\c\\nd\\u0009e\\u0000f\u{7f}ü\u{2028}\"");
    }
}
