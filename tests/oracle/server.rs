//! Two servers that fail as they are told, and count what reaches them.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    time::sleep,
};

use crate::{
    fault::{Fault, Times},
    http1, http2,
};

/// Between what was said and a reset: a reset takes with it what has not been read.
const HEARD: Duration = Duration::from_millis(100);

/// Two that listen and two that do not.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) live: [SocketAddr; 2],
    pub(crate) dead: [SocketAddr; 2],
    script: Arc<Mutex<Script>>,
    /// Bound and not listened to: the ports stay free of others.
    _bound: [TcpSocket; 2],
}

/// What the servers do with what comes.
#[derive(Clone, Copy, Debug, Default)]
struct Script {
    fault: Option<Fault>,
    once: bool,
    seen: u32,
}

impl Servers {
    pub(crate) async fn start() -> Self {
        let script = Arc::default();
        let bound = [bound(), bound()];
        Self {
            live: [listen(&script).await, listen(&script).await],
            dead: [0, 1].map(|index: usize| bound[index].local_addr().unwrap()),
            script,
            _bound: bound,
        }
    }

    /// From now on.
    pub(crate) fn play(&self, fault: Fault, times: Times) {
        let once = times == Times::Once;
        let fault = (!matches!(fault, Fault::Refused)).then_some(fault);
        let seen = 0;
        *self.script.lock().unwrap() = Script { fault, once, seen };
    }

    /// How many requests have come since.
    pub(crate) fn seen(&self) -> u32 {
        self.script.lock().unwrap().seen
    }

    /// The endpoints that a fault is about.
    pub(crate) fn endpoints(&self, fault: Fault, times: Times) -> [SocketAddr; 2] {
        match (fault, times) {
            (Fault::Refused, Times::Once) => [self.dead[0], self.live[0]],
            (Fault::Refused, Times::Always) => self.dead,
            _ => self.live,
        }
    }
}

fn bound() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket
}

async fn listen(script: &Arc<Mutex<Script>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let script = Arc::clone(script);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let script = Arc::clone(&script);
            tokio::spawn(async move {
                let mut peer = Peer {
                    stream,
                    script,
                    read: Vec::new(),
                };
                // Whoever leaves has left.
                let _ = peer.serve().await;
            });
        }
    });
    address
}

/// Whoever has connected.
#[derive(Debug)]
pub(crate) struct Peer {
    stream: TcpStream,
    script: Arc<Mutex<Script>>,
    read: Vec<u8>,
}

impl Peer {
    async fn serve(&mut self) -> io::Result<()> {
        self.fill(3).await?;
        if self.read.starts_with(b"PRI") {
            http2::serve(self).await
        } else {
            http1::serve(self).await
        }
    }

    /// A request has come: what is to be done with it?
    pub(crate) fn asks(&self) -> Option<Fault> {
        let mut script = self.script.lock().unwrap();
        script.seen += 1;
        if script.once && script.seen > 1 {
            return None;
        }
        script.fault
    }

    /// Takes so many bytes.
    pub(crate) async fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        self.fill(count).await?;
        let rest = self.read.split_off(count);
        Ok(std::mem::replace(&mut self.read, rest))
    }

    /// Takes all up to and with these bytes.
    pub(crate) async fn take_until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            let found = self.read.windows(end.len()).position(|part| part == end);
            if let Some(at) = found {
                return self.take(at + end.len()).await;
            }
            self.fill(self.read.len() + 1).await?;
        }
    }

    async fn fill(&mut self, count: usize) -> io::Result<()> {
        while self.read.len() < count {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    pub(crate) async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Resets the connection, which is over then.
    pub(crate) async fn reset(&self) -> io::Result<()> {
        sleep(HEARD).await;
        self.stream.set_zero_linger()?;
        Err(io::ErrorKind::ConnectionReset.into())
    }

    /// Says no more, and hears the other out.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        while self.stream.read_buf(&mut self.read).await? > 0 {}
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
