//! As much of HTTP/2 (RFC 9113) and gRPC as it takes to fail, byte by byte: a server that behaves cannot be told to.

use std::io;

use crate::{
    fault::{Fault, INTERNAL_ERROR},
    server::Peer,
};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const NO_ERROR: u32 = 0;

/// Those of an answer.
type Headers<'a> = &'a [(&'a str, &'a str)];

const GRPC: (&str, &str) = ("content-type", "application/grpc");
/// A message without anything in it.
const EMPTY: [u8; 5] = [0; 5];

pub(crate) async fn serve(peer: &mut Peer) -> io::Result<()> {
    peer.take_until(b"\r\n\r\nSM\r\n\r\n").await?;
    peer.say(&frame(SETTINGS, 0, 0, &[])).await?;
    let mut grpc = false;
    loop {
        let Frame {
            kind,
            flags,
            id,
            payload,
        } = next(peer).await?;
        match kind {
            SETTINGS if flags & ACK == 0 => peer.say(&frame(SETTINGS, ACK, 0, &[])).await?,
            PING if flags & ACK == 0 => peer.say(&frame(PING, ACK, 0, &payload)).await?,
            HEADERS | DATA => {
                // Only gRPC sends bodies here over HTTP/2, and they are messages.
                grpc |= kind == DATA && payload.len() >= EMPTY.len();
                if flags & END_STREAM != 0 {
                    answer(peer, id, grpc).await?;
                }
            }
            _ => {}
        }
    }
}

struct Frame {
    kind: u8,
    flags: u8,
    id: u32,
    payload: Vec<u8>,
}

async fn next(peer: &mut Peer) -> io::Result<Frame> {
    let head = peer.take(9).await?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    Ok(Frame {
        kind: head[3],
        flags: head[4],
        id: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
        payload: peer.take(length).await?,
    })
}

async fn answer(peer: &mut Peer, id: u32, grpc: bool) -> io::Result<()> {
    let begin = headers(id, 200, &[GRPC], false);
    match peer.asks() {
        None if grpc => {
            peer.say(&begin).await?;
            peer.say(&frame(DATA, 0, id, &EMPTY)).await?;
            peer.say(&trailers(id, 0)).await
        }
        None => peer.say(&headers(id, 200, &[("x-own", "1")], true)).await,
        Some(Fault::Status(status, after)) => {
            let own = [("x-own", "1"), ("retry-after", after.unwrap_or_default())];
            let own = &own[..1 + usize::from(after.is_some())];
            peer.say(&headers(id, status, own, true)).await
        }
        Some(Fault::Head(status, push_back)) => {
            let status = status.to_string();
            let all = [
                GRPC,
                ("grpc-status", &status),
                ("grpc-retry-pushback-ms", push_back.unwrap_or_default()),
            ];
            let all = &all[..2 + usize::from(push_back.is_some())];
            peer.say(&headers(id, 200, all, true)).await
        }
        Some(Fault::Trailers(status)) => {
            peer.say(&begin).await?;
            peer.say(&trailers(id, status)).await
        }
        Some(Fault::ResetAfterHead) => {
            peer.say(&begin).await?;
            reset(peer).await
        }
        Some(Fault::ResetAfterMessage) => {
            peer.say(&begin).await?;
            peer.say(&frame(DATA, 0, id, &EMPTY)).await?;
            reset(peer).await
        }
        Some(Fault::ResetStream(code)) => {
            let code = code.to_be_bytes();
            peer.say(&frame(RST_STREAM, 0, id, &code)).await
        }
        Some(Fault::GoneBefore) => gone(peer, id.saturating_sub(2), NO_ERROR).await,
        Some(Fault::GoneWith) => gone(peer, id, NO_ERROR).await,
        Some(Fault::BrokenWith) => gone(peer, id, INTERNAL_ERROR).await,
        Some(Fault::Hang) => Ok(()),
        Some(Fault::Reset | Fault::Refused) => peer.reset().await,
    }
}

/// Resets the connection when all that was said has been read: pings are answered in their turn.
async fn reset(peer: &mut Peer) -> io::Result<()> {
    peer.say(&frame(PING, 0, 0, &[0; 8])).await?;
    loop {
        let Frame { kind, flags, .. } = next(peer).await?;
        if kind == PING && flags & ACK != 0 {
            return peer.reset().await;
        }
    }
}

async fn gone(peer: &mut Peer, last: u32, code: u32) -> io::Result<()> {
    let words = [last.to_be_bytes(), code.to_be_bytes()].concat();
    peer.say(&frame(GOAWAY, 0, 0, &words)).await?;
    peer.close().await
}

fn trailers(id: u32, status: u8) -> Vec<u8> {
    let block = literal("grpc-status", &status.to_string());
    frame(HEADERS, END_HEADERS | END_STREAM, id, &block)
}

fn headers(id: u32, status: u16, all: Headers<'_>, end: bool) -> Vec<u8> {
    let mut block = literal(":status", &status.to_string());
    for (name, value) in all {
        block.extend(literal(name, value));
    }
    let end = if end { END_STREAM } else { 0 };
    frame(HEADERS, END_HEADERS | end, id, &block)
}

/// A literal field without indexing, with a new name, neither of them coded (RFC 7541 §6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    [&[0][..], &text(name), &text(value)].concat()
}

fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let id = id.to_be_bytes();
    [&length[1..], &[kind, flags], &id, payload].concat()
}
