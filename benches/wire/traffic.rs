//! So many requests, some at once.

use std::{fmt, future::Future, time::Duration};

use buttress::CLOCK;
use tokio::task::JoinSet;

/// So many are under way at once.
const AT_ONCE: u32 = 16;

/// Whoever sends requests.
pub(crate) trait Traffic {
    /// Sends so many.
    fn send(&mut self, requests: u32) -> impl Future<Output = Result<Seen, String>>;
}

/// What the sender saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) took: Duration,
    pub(crate) p99: Duration,
}

impl Seen {
    pub(crate) const fn of_nanos(took: u64, p99: u64) -> Self {
        Self {
            took: Duration::from_nanos(took),
            p99: Duration::from_nanos(p99),
        }
    }
}

/// As one process tells another.
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.took.as_nanos(), self.p99.as_nanos())
    }
}

/// Sends `requests` by `one`, of which each worker has its own.
pub(crate) async fn drive<C, F>(client: &C, requests: u32, one: fn(C) -> F) -> Result<Seen, String>
where
    C: Clone + Send + 'static,
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let mut workers = JoinSet::new();
    let began = CLOCK.now();
    for worker in 0..AT_ONCE {
        let client = client.clone();
        let share = requests / AT_ONCE + u32::from(worker < requests % AT_ONCE);
        workers.spawn(async move {
            let mut times = Vec::with_capacity(share as usize);
            for _ in 0..share {
                let began = CLOCK.now();
                one(client.clone()).await?;
                times.push(CLOCK.now().since(began));
            }
            Ok::<_, String>(times)
        });
    }
    let mut times = Vec::with_capacity(requests as usize);
    while let Some(worker) = workers.join_next().await {
        times.extend(worker.map_err(|error| error.to_string())??);
    }
    let took = CLOCK.now().since(began);
    times.sort_unstable();
    let p99 = times.get(times.len() * 99 / 100).copied();
    Ok(Seen {
        took,
        p99: p99.unwrap_or_default(),
    })
}
