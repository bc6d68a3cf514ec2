//! As much of HTTP/1.1 as it takes to fail.

use std::io;

use crate::{fault::Fault, server::Peer};

pub(crate) async fn serve(peer: &mut Peer) -> io::Result<()> {
    loop {
        let head = peer.take_until(b"\r\n\r\n").await?;
        peer.take(length(&head)).await?;
        match peer.asks() {
            None => peer.say(&answer(200, None)).await?,
            Some(Fault::Status(status, after)) => peer.say(&answer(status, after)).await?,
            Some(Fault::ResetAfterHead) => {
                peer.say(b"HTTP/1.1 200 OK\r\nx-own: 1\r\ncontent-length: 9\r\n\r\nok")
                    .await?;
                peer.reset().await?;
            }
            Some(Fault::Hang) => {}
            Some(_) => peer.reset().await?,
        }
    }
}

fn length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    head.lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
        .unwrap_or(0)
}

fn answer(status: u16, after: Option<&str>) -> Vec<u8> {
    let after = after.map_or_else(String::new, |after| format!("retry-after: {after}\r\n"));
    format!("HTTP/1.1 {status} so\r\nx-own: 1\r\n{after}content-length: 2\r\n\r\nok").into_bytes()
}
