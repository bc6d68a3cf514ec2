//! gRPC's C core, in Python.

use std::{net::SocketAddr, path::Path, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::installed;

/// Killed when dropped.
#[derive(Debug)]
pub(crate) struct Core {
    ask: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Core {
    pub(crate) fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/call.py");
        let mut process = Command::new(installed("python"))
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            ask: process.stdin.take().unwrap(),
            said: BufReader::new(process.stdout.take().unwrap()).lines(),
            _process: process,
        }
    }

    /// The code that a call ends with, under a policy that asks again or under none.
    pub(crate) async fn call(&mut self, [one, two]: [SocketAddr; 2], again: bool) -> String {
        let policy = if again { "again" } else { "once" };
        let line = format!("{one},{two} {policy}\n");
        self.ask.write_all(line.as_bytes()).await.unwrap();
        self.said.next_line().await.unwrap().unwrap()
    }
}
