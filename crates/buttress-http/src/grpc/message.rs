//! Words in a header.

use http::HeaderValue;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// As [PROTOCOL-HTTP2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses) has `grpc-message`: the UTF-8 of it, where all
/// but visible ASCII and spaces is percent-encoded, and so is the percent sign.
pub(crate) fn encode(words: &str) -> HeaderValue {
    let mut text = Vec::with_capacity(words.len());
    for byte in words.bytes() {
        match byte {
            b'%' | ..b' ' | 0x7f.. => {
                let [high, low] = [byte >> 4, byte & 15].map(|digit| HEX[usize::from(digit)]);
                text.extend([b'%', high, low]);
            }
            _ => text.push(byte),
        }
    }
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("refused"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn visible_ascii_stays_as_it_is() {
        for (words, text) in [
            ("", ""),
            (
                "circuit open, next probe in 1.5s",
                "circuit open, next probe in 1.5s",
            ),
            ("100 % in 5\u{b5}s\n", "100 %25 in 5%C2%B5s%0A"),
            ("~\u{7f}", "~%7F"),
        ] {
            assert_eq!(encode(words), text);
        }
    }

    proptest! {
        #[test]
        fn any_words_come_back(words: String) {
            let text = encode(&words);
            let mut bytes = text.as_bytes().iter();
            let mut decoded = Vec::new();
            while let Some(byte) = bytes.next() {
                prop_assert!((b' '..=b'~').contains(byte));
                if *byte == b'%' {
                    let digits: String = bytes.by_ref().take(2).map(|digit| char::from(*digit)).collect();
                    decoded.push(u8::from_str_radix(&digits, 16).unwrap());
                } else {
                    decoded.push(*byte);
                }
            }
            prop_assert_eq!(decoded, words.as_bytes());
        }
    }
}
