//! HTTP/2, frame by frame (RFC 9113 §4.1).

use buttress::Cause;
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tower::ServiceExt as _;

use crate::support::{Version, client, in_turn, request, scripted, well};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// `:status: 200`, of the static table.
const FOUND: [u8; 1] = [0x88];

/// What a server does once it has read the head of a request.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// It processed nothing of it, and goes.
    GoAway,
    /// It processed nothing of it (`REFUSED_STREAM`).
    Refused,
    /// `ENHANCE_YOUR_CALM`.
    Calm,
    /// `INTERNAL_ERROR`, after who knows what.
    Internal,
    /// The connection is over.
    Closed,
    /// A frame of a stream that is none.
    Foreign,
    /// Half of a body, and `INTERNAL_ERROR`.
    ResetMidBody,
    /// Half of a body, and no connection.
    ClosedMidBody,
    /// Half of a body, and it processes nothing more and goes when this is done: but the connection breaks.
    GoAwayMidBody,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

fn go_away(last: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat())
}

fn half(stream: u32) -> Vec<u8> {
    // END_HEADERS.
    [
        frame(HEADERS, 4, stream, &FOUND),
        frame(DATA, 0, stream, b"half"),
    ]
    .concat()
}

/// Reads frames up to the head of a request, and gives its stream.
async fn asked(socket: &mut TcpStream) -> Option<u32> {
    let mut preface = [0; 24];
    socket.read_exact(&mut preface).await.ok()?;
    socket.write_all(&frame(SETTINGS, 0, 0, &[])).await.ok()?;
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await.ok()?;
        let [high, middle, low, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
        socket.read_exact(&mut payload).await.ok()?;
        match kind {
            HEADERS => return Some(u32::from_be_bytes(stream)),
            // Acknowledged.
            SETTINGS if flags == 0 => {
                socket.write_all(&frame(SETTINGS, 1, 0, &[])).await.ok()?;
            }
            _ => {}
        }
    }
}

impl Fault {
    async fn handle(self, mut socket: TcpStream) {
        let Some(stream) = asked(&mut socket).await else {
            return;
        };
        let said = match self {
            Self::GoAway => go_away(0),
            Self::Refused => reset(stream, 7),
            Self::Calm => reset(stream, 11),
            Self::Internal => reset(stream, 2),
            Self::Closed => Vec::new(),
            // Of a stream that the client never opened.
            Self::Foreign => frame(DATA, 0, stream + 100, b"?"),
            Self::ResetMidBody => [half(stream), reset(stream, 2)].concat(),
            Self::ClosedMidBody => half(stream),
            Self::GoAwayMidBody => [half(stream), go_away(stream)].concat(),
        };
        let _ = socket.write_all(&said).await;
        if matches!(
            self,
            Self::Closed | Self::ClosedMidBody | Self::GoAwayMidBody
        ) {
            return;
        }
        // Whoever goes waits for the other side to.
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest).await;
    }
}

#[tokio::test]
async fn before_the_head_what_was_not_processed_is_sent_elsewhere_whatever_it_is() {
    for (fault, cause, unsent) in [
        (Fault::GoAway, Some(Cause::Connect), true),
        (Fault::Refused, Some(Cause::Connect), true),
        (Fault::Calm, None, false),
        (Fault::Internal, Some(Cause::Reset), false),
        (Fault::Closed, Some(Cause::Reset), false),
        (Fault::Foreign, Some(Cause::Protocol), false),
    ] {
        for method in [Method::GET, Method::POST] {
            let first = scripted(move |socket| fault.handle(socket)).await;
            let client = client(Version::Two);
            let (root, work) = in_turn(&first, &well().await, move |_| client.clone());
            let answer = work.clone().oneshot(request(method.clone(), "/")).await;
            let again = unsent || method == Method::GET;
            let status = answer.as_ref().map(Response::status).ok();
            assert_eq!(
                status == Some(StatusCode::OK),
                again,
                "{fault:?} {method} {answer:?}"
            );
            let counts = root
                .handle(&format!("work/{first}"))
                .unwrap()
                .snapshot()
                .counts;
            let found = cause.map_or(counts.overloads, |cause| counts.failures.of(cause));
            assert_eq!(
                (found, counts.finished()),
                (1, 1),
                "{fault:?} {method}: {counts:?}"
            );
        }
    }
}

#[tokio::test]
async fn after_the_head_its_reader_hears_of_it_and_the_endpoint_has_failed() {
    for fault in [
        Fault::ResetMidBody,
        Fault::ClosedMidBody,
        Fault::GoAwayMidBody,
    ] {
        let first = scripted(move |socket| fault.handle(socket)).await;
        let client = client(Version::Two);
        let (root, work) = in_turn(&first, &well().await, move |_| client.clone());
        let answer = work
            .clone()
            .oneshot(request(Method::GET, "/"))
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.into_body().collect().await.is_err(), "{fault:?}");
        let counts = root
            .handle(&format!("work/{first}"))
            .unwrap()
            .snapshot()
            .counts;
        assert_eq!(
            (counts.failures.of(Cause::Reset), counts.finished()),
            (1, 1),
            "{fault:?}: {counts:?}"
        );
    }
}
