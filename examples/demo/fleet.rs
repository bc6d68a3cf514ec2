//! The replicas as their parent holds them: processes to start, stop and break.

use std::{
    env, fmt,
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpStream},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Fallible, replica};

pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];

/// How long a replica may take to do as it is told.
const PATIENCE: Duration = Duration::from_secs(5);

/// All replicas. Dropped, it leaves no process behind.
pub(crate) struct Fleet([Replica; NAMES.len()]);

impl Fleet {
    pub(crate) fn start() -> Fallible<Self> {
        let [a, b, c] = NAMES;
        Ok(Self([
            Replica::start(a)?,
            Replica::start(b)?,
            Replica::start(c)?,
        ]))
    }

    pub(crate) const fn replica(&mut self, index: usize) -> &mut Replica {
        &mut self.0[index]
    }

    /// In the order of [`NAMES`].
    pub(crate) fn addresses(&self) -> [String; NAMES.len()] {
        self.0
            .each_ref()
            .map(|replica| format!("http://127.0.0.1:{}", replica.port))
    }
}

impl fmt::Display for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replicas = self.0.each_ref().map(|replica| {
            format!(
                "{} :{} (pid {})",
                replica.name,
                replica.port,
                replica.process.0.id()
            )
        });
        f.write_str(&replicas.join(", "))
    }
}

/// One replica.
pub(crate) struct Replica {
    name: &'static str,
    port: u16,
    process: Process,
    answers: Receiver<String>,
}

/// A process that does not outlive its handle.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL reaches a stopped process too. Both fail only when it has already gone.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Replica {
    fn start(name: &'static str) -> Fallible<Self> {
        Self::start_on(name, None)
    }

    fn start_on(name: &'static str, port: Option<u16>) -> Fallible<Self> {
        let program = env::current_exe()?;
        let mut child = Command::new(&program)
            .arg(replica::ARGUMENT)
            .args(port.map(|port| port.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!(
                    "replica {name} did not start: {}: {error}",
                    program.display()
                )
            })?;
        let stdout = child.stdout.take().ok_or("a replica without stdout")?;
        let process = Process(child);
        let (sender, answers) = channel();
        thread::Builder::new()
            .name(format!("answers of {name}"))
            .spawn(move || {
                BufReader::new(stdout)
                    .lines()
                    .map_while(Result::ok)
                    .try_for_each(|line| sender.send(line))
            })
            .map_err(|error| format!("replica {name} cannot be listened to: {error}"))?;
        let mut replica = Self {
            name,
            port: 0,
            process,
            answers,
        };
        replica.port = replica.done()?;
        replica.reach()?;
        Ok(replica)
    }

    /// What nobody can call would be compared all the same.
    fn reach(&self) -> Fallible<()> {
        let address = (Ipv4Addr::LOCALHOST, self.port).into();
        TcpStream::connect_timeout(&address, PATIENCE)
            .map(drop)
            .map_err(|error| {
                format!(
                    "replica {} cannot be reached at {address}: {error}",
                    self.name
                )
                .into()
            })
    }

    /// Gives an order, and sees it carried out.
    pub(crate) fn order(&mut self, order: &str) -> Fallible<()> {
        let mut stdin = self
            .process
            .0
            .stdin
            .as_ref()
            .ok_or("a replica without stdin")?;
        stdin
            .write_all(format!("{order}\n").as_bytes())
            .map_err(|error| format!("replica {} cannot be told to {order}: {error}", self.name))?;
        self.done().map(drop)
    }

    fn done(&mut self) -> Fallible<u16> {
        let name = self.name;
        match self.answers.recv_timeout(PATIENCE) {
            Ok(answer) => match answer.strip_prefix(replica::DONE) {
                Some(port) => Ok(port.parse()?),
                None => Err(format!("replica {name}: {answer}").into()),
            },
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("replica {name} did not answer within {PATIENCE:?}").into())
            }
            Err(RecvTimeoutError::Disconnected) => match self.process.0.wait() {
                Ok(status) => Err(format!("replica {name} ended: {status}").into()),
                Err(error) => Err(format!("replica {name} ended: {error}").into()),
            },
        }
    }

    pub(crate) fn kill(&mut self) -> Fallible<()> {
        self.process.0.kill()?;
        self.process.0.wait()?;
        Ok(())
    }

    /// A new process on the same port.
    pub(crate) fn restart(&mut self) -> Fallible<()> {
        *self = Self::start_on(self.name, Some(self.port))?;
        Ok(())
    }

    pub(crate) fn freeze(&self) -> Fallible<()> {
        self.signal(Signal::STOP)
    }

    pub(crate) fn thaw(&self) -> Fallible<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Fallible<()> {
        kill_process(Pid::from_child(&self.process.0), signal)
            .map_err(|error| format!("replica {} cannot be signalled: {error}", self.name).into())
    }
}
