//! The health service of an endpoint, asked as a probe.

use std::{
    error::Error,
    future::poll_fn,
    pin::{Pin, pin},
};

use buttress_core::{Cause, Endpoint, Outcome};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use http_body::Body;
use tower_service::Service;

use super::{
    Filled, errors,
    status::{Code, STATUS},
};

type BoxError = Box<dyn Error + Send + Sync>;

/// How an endpoint answered, once it has.
type Answer = Pin<Box<dyn Future<Output = Outcome> + Send>>;

const PATH: &str = "/grpc.health.v1.Health/Check";

/// What precedes a message: whether it is compressed, and how long it is.
const PREFIX: usize = 5;

/// The most that is read of an answer: it says one number.
const MOST: usize = 1024;

/// `SERVING` in [health.proto](https://github.com/grpc/grpc-proto/blob/master/grpc/health/v1/health.proto).
const SERVING: u64 = 1;

/// Asks an endpoint's `grpc.health.v1.Health` whether it is well: `Check`, and the answer is `SERVING`.
///
/// Any other status is a failure. Who does not know the health service at all (`UNIMPLEMENTED`) is taken for well, as in proposal
/// [A17](https://github.com/grpc/proposal/blob/master/A17-client-side-health-checking.md): it answers, and calls will tell. Who knows it, but
/// not the service that is asked for (`NOT_FOUND`), is not.
///
/// # Examples
///
/// ```
/// # use buttress_core::Endpoint; use http::{Request, Response}; use http_body_util::Full;
/// use buttress_http::GrpcProbe;
///
/// # #[derive(Clone)] struct Channel;
/// # impl tower_service::Service<Request<Full<bytes::Bytes>>> for Channel {
/// #     type Response = Response<Full<bytes::Bytes>>; type Error = std::io::Error;
/// #     type Future = std::future::Ready<Result<Self::Response, Self::Error>>;
/// #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> { std::task::Poll::Ready(Ok(())) }
/// #     fn call(&mut self, _: Request<Full<bytes::Bytes>>) -> Self::Future { std::future::ready(Ok(Response::default())) }
/// # }
/// # let channel = Channel;
/// let probe = GrpcProbe::service("buttress.inventory.v1.Inventory").over(move |_: &Endpoint| channel.clone());
/// # let _ = probe;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrpcProbe {
    service: Bytes,
}

impl GrpcProbe {
    /// Asks for one service, by its full name; for the whole server by an empty one.
    #[must_use]
    pub fn service(name: &str) -> Self {
        Self {
            service: request(name),
        }
    }

    /// The probe itself, through what `connect` makes of an endpoint: clones of a channel, or a new one each time. It is called once a
    /// probe.
    pub fn over<S, B, R>(
        self,
        connect: impl Fn(&Endpoint) -> S + Send + Sync + 'static,
    ) -> impl Fn(&Endpoint) -> Answer + Send + Sync + 'static
    where
        S: Service<Request<B>, Response = Response<R>> + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: Filled + Send + 'static,
        R: Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        move |endpoint: &Endpoint| {
            let request = asked(endpoint.address(), B::filled(self.service.clone()));
            let service = connect(endpoint);
            Box::pin(async move {
                match ask(service, request).await {
                    Ok(outcome) => outcome,
                    Err(error) => errors::judge(&*error),
                }
            })
        }
    }
}

fn asked<B>(address: &str, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.version_mut() = http::Version::HTTP_2;
    *request.uri_mut() = uri(address);
    let headers = request.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/grpc"),
        (header::TE, "trailers"),
        (header::USER_AGENT, "buttress-probe"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    request
}

/// Channels know where they lead, and write their own over it; others are told.
fn uri(address: &str) -> Uri {
    let scheme = if address.contains("://") {
        ""
    } else {
        "http://"
    };
    format!("{scheme}{}{PATH}", address.trim_end_matches('/'))
        .parse()
        .unwrap_or_else(|_| Uri::from_static(PATH))
}

async fn ask<S, B, R>(mut service: S, request: Request<B>) -> Result<Outcome, BoxError>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    poll_fn(|cx| service.poll_ready(cx))
        .await
        .map_err(Into::into)?;
    let response = service.call(request).await.map_err(Into::into)?;
    let (head, body) = response.into_parts();
    if head.headers.contains_key(&STATUS) {
        return Ok(judge(&head.headers, &[]));
    }
    let (message, trailers) = read(body).await?;
    Ok(judge(&trailers.unwrap_or_default(), &message))
}

/// Reads a body to its end, or as far as it is worth.
async fn read<R>(body: R) -> Result<(Vec<u8>, Option<HeaderMap>), BoxError>
where
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    let mut body = pin!(body);
    let mut message = Vec::new();
    while message.len() <= MOST {
        let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await else {
            break;
        };
        match frame.map_err(Into::into)?.into_data() {
            Ok(data) => message.extend_from_slice(&data),
            Err(frame) => return Ok((message, frame.into_trailers().ok())),
        }
    }
    Ok((message, None))
}

fn judge(status: &HeaderMap, answer: &[u8]) -> Outcome {
    let code = status
        .get(&STATUS)
        .map(|status| Code::parse(status.as_bytes()));
    match code {
        Some(Code::OK) if serving(answer) => Outcome::Success,
        Some(Code::UNIMPLEMENTED) => Outcome::Success,
        None => Outcome::Failure(Cause::Protocol),
        Some(_) => Outcome::Failure(Cause::Error),
    }
}

/// `HealthCheckRequest { string service = 1 }`, uncompressed, with its prefix. An empty name is left out, as proto3 does.
fn request(service: &str) -> Bytes {
    let mut message = Vec::with_capacity(service.len() + 11);
    if !service.is_empty() {
        message.push(1 << 3 | 2);
        let mut length = service.len();
        while length > 0x7f {
            message.push(length as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let prefix = length.to_be_bytes();
    [&[0][..], &prefix, &message].concat().into()
}

/// Is it `HealthCheckResponse { ServingStatus status = 1 }` with `SERVING`? Compressed is what was not asked for.
fn serving(answer: &[u8]) -> bool {
    let Some(([0, ..], mut message)) = answer.split_at_checked(PREFIX) else {
        return false;
    };
    let mut status = 0;
    while !message.is_empty() {
        let Some(field) = varint(&mut message) else {
            return false;
        };
        // By wire type: fields that others may have added are passed over.
        let passed = match field & 7 {
            0 => match varint(&mut message) {
                Some(value) if field >> 3 == 1 => {
                    status = value;
                    Some(0)
                }
                value => value.map(|_| 0),
            },
            1 => Some(8),
            2 => varint(&mut message).and_then(|length| usize::try_from(length).ok()),
            5 => Some(4),
            _ => None,
        };
        match passed.and_then(|passed| message.get(passed..)) {
            Some(rest) => message = rest,
            None => return false,
        }
    }
    status == SERVING
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn asks_as_the_protocol_has_it() {
        assert_eq!(request(""), &[0; 5][..]);
        assert_eq!(request("a.B"), &b"\0\0\0\0\x05\x0a\x03a.B"[..]);
        let long = request(&"x".repeat(300));
        assert_eq!(long[..8], *b"\0\0\0\x01\x2f\x0a\xac\x02");
        assert_eq!(long.len(), 308);
        for (address, uri) in [
            (
                "http://10.0.0.1:80",
                "http://10.0.0.1:80/grpc.health.v1.Health/Check",
            ),
            (
                "10.0.0.1:80",
                "http://10.0.0.1:80/grpc.health.v1.Health/Check",
            ),
            ("unix:///run/app.sock", PATH),
        ] {
            assert_eq!(super::uri(address).to_string(), uri);
        }
    }

    #[test]
    fn only_serving_is_well() {
        for (answer, well) in [
            (&b"\0\0\0\0\x02\x08\x01"[..], true),
            (b"\0\0\0\0\x02\x08\x02", false),
            // UNKNOWN is 0, which is left out.
            (b"\0\0\0\0\0", false),
            (b"\0\0\0\0\x04\x12\x00\x08\x01", true),
            (b"\0\0\0\0\x04\x08\x02\x08\x01", true),
            (b"\x01\0\0\0\x02\x08\x01", false),
            (b"\0\0\0\0\x02\x08", false),
            (b"\0\0\0\0\x02\x12\x7f", false),
            (b"", false),
        ] {
            assert_eq!(serving(answer), well, "{answer:?}");
        }
    }

    #[test]
    fn who_does_not_know_the_health_service_is_taken_for_well() {
        let failed = Outcome::Failure(Cause::Error);
        for (status, outcome) in [
            ("0", Outcome::Success),
            ("12", Outcome::Success),
            ("5", failed),
            ("8", failed),
            ("14", failed),
        ] {
            let status = HeaderValue::from_static(status);
            let headers = HeaderMap::from_iter([(STATUS, status)]);
            assert_eq!(judge(&headers, b"\0\0\0\0\x02\x08\x01"), outcome);
        }
        let none = HeaderMap::new();
        assert_eq!(
            judge(&none, b"\0\0\0\0\x02\x08\x01"),
            Outcome::Failure(Cause::Protocol)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer(answer: Vec<u8>) {
            let _ = serving(&answer);
        }
    }
}
