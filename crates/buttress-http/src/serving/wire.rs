//! The two messages of `grpc.health.v1`, as they are on the wire.
//!
//! ```proto
//! message HealthCheckRequest { string service = 1; }
//! message HealthCheckResponse { ServingStatus status = 1; }  // SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3
//! ```

use bytes::Bytes;

use super::Status;

/// A flag and a length stand before each message of gRPC.
pub(super) const PREFIX: usize = 5;

/// The name asked for, of a whole gRPC body. `None` where it is none: cut short, compressed, or no such message.
pub(super) fn service(body: &[u8]) -> Option<String> {
    let (prefix, message) = body.split_first_chunk::<PREFIX>()?;
    let [flag, length @ ..] = *prefix;
    let long = usize::try_from(u32::from_be_bytes(length)).ok()?;
    if flag != 0 || message.len() != long {
        return None;
    }
    field(message)
}

/// The last `string` of field 1, as in proto3; other fields are passed over.
fn field(mut message: &[u8]) -> Option<String> {
    let mut name = String::new();
    while !message.is_empty() {
        let (tag, rest) = varint(message)?;
        let (value, rest) = match tag & 7 {
            0 => (None, varint(rest)?.1),
            1 => (None, rest.get(8..)?),
            2 => {
                let (long, rest) = varint(rest)?;
                let (value, rest) = rest.split_at_checked(usize::try_from(long).ok()?)?;
                (Some(value), rest)
            }
            5 => (None, rest.get(4..)?),
            _ => return None,
        };
        if let (1, Some(value)) = (tag >> 3, value) {
            std::str::from_utf8(value).ok()?.clone_into(&mut name);
        }
        message = rest;
    }
    Some(name)
}

/// A number in groups of seven bits, the lowest first: ten bytes at most.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(index + 1..)?));
        }
    }
    None
}

/// The whole answer: prefix and message.
pub(super) const fn answer(status: Status) -> Bytes {
    Bytes::from_static(match status {
        Status::Serving => &[0, 0, 0, 0, 2, 8, 1],
        Status::NotServing => &[0, 0, 0, 0, 2, 8, 2],
        Status::Unknown => &[0, 0, 0, 0, 2, 8, 3],
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[0], &length[..], message].concat()
    }

    #[test]
    fn requests_as_a_table() {
        let long = [&[10, 200, 1][..], &[b'a'; 200]].concat();
        let long_name = "a".repeat(200);
        for (message, name) in [
            (&b""[..], Some("")),
            (b"\x0a\x00", Some("")),
            (b"\x0a\x03a.B", Some("a.B")),
            (b"\x0a\x01a\x0a\x01b", Some("b")),
            // Fields that nobody knows yet.
            (
                b"\x10\x96\x01\x0a\x01a\x1a\x02xy\x25abcd\x29abcdefgh",
                Some("a"),
            ),
            (&long, Some(&*long_name)),
            (b"\x0a\x05a.B", None),
            (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", None),
            (b"\x0a\x01\xff", None),
            (b"\x0b", None),
            (b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", None),
        ] {
            assert_eq!(service(&framed(message)).as_deref(), name, "{message:?}");
        }
        for body in [
            &b""[..],
            b"\0\0\0\0",
            b"\x01\0\0\0\0",
            b"\0\0\0\0\x01",
            b"\0\0\0\0\0x",
        ] {
            assert_eq!(service(body), None, "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(message: Vec<u8>) {
            let _ = (service(&message), service(&framed(&message)));
        }

        #[test]
        fn any_name_comes_back(name in "\\PC{0,100}") {
            let mut message = vec![10];
            let mut long = name.len();
            while long > 0x7f {
                message.push((long & 0x7f) as u8 | 0x80);
                long >>= 7;
            }
            message.push(long as u8);
            message.extend(name.as_bytes());
            prop_assert_eq!(service(&framed(&message)), Some(name));
        }
    }
}
