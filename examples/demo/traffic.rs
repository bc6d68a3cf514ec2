//! The same open-loop traffic through all clients.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use buttress::{Buttress, CLOCK, Nanos};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    Fallible,
    clients::{Client, Clients},
    faults::Slot,
};

/// How long after the last call everything has ended: well past every deadline.
const STRAGGLERS: Duration = Duration::from_secs(5);

/// Of each guarded client.
pub(crate) type Attempts = [u64; 3];

/// How one call went.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) client: Client,
    /// When it was due.
    pub(crate) due: Nanos,
    pub(crate) good: bool,
    /// From when it was due to its end, good or bad.
    pub(crate) latency: Duration,
}

/// Every call that ended.
#[derive(Default)]
pub(crate) struct Samples(Mutex<Vec<Sample>>);

impl Samples {
    fn push(&self, sample: Sample) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sample);
    }

    /// Those that came after the first `known`.
    pub(crate) fn since(&self, known: usize) -> Vec<Sample> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[known..].to_vec()
    }

    pub(crate) fn take(&self) -> Vec<Sample> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Sends on time, whether or not earlier calls have returned, until all slots are over and all calls have ended.
///
/// Returns how many attempts each guarded client started in each slot.
pub(crate) async fn drive(
    clients: Clients,
    buttress: Buttress,
    slots: Vec<Slot>,
    rate: u64,
    samples: Arc<Samples>,
) -> Fallible<Vec<Attempts>> {
    let mut calls = JoinSet::new();
    let mut started = vec![[0; 3]];
    let begin = slots.first().ok_or("nothing to do")?.begins;
    let mut number = 0;
    let mut due = begin;
    for slot in &slots {
        while due < slot.ends {
            sleep(due.since(CLOCK.now())).await;
            // Each goes first in turn.
            let mut order = Client::ALL;
            order.rotate_left(number as usize % Client::ALL.len());
            for client in order {
                calls.spawn(call(
                    client,
                    clients.clone(),
                    number,
                    due,
                    Arc::clone(&samples),
                ));
            }
            while let Some(ended) = calls.try_join_next() {
                ended?;
            }
            number += 1;
            due = begin.after(Duration::from_nanos(number * 1_000_000_000 / rate));
        }
        sleep(due.since(CLOCK.now())).await;
        started.push(attempts(&buttress));
    }
    let stragglers = async {
        while let Some(ended) = calls.join_next().await {
            ended?;
        }
        Fallible::Ok(())
    };
    timeout(STRAGGLERS, stragglers)
        .await
        .map_err(|_| format!("calls still under way {STRAGGLERS:?} after the last"))??;
    if let Some(last) = started.last_mut() {
        *last = attempts(&buttress);
    }
    let between =
        |pair: &[Attempts]| std::array::from_fn(|client| pair[1][client] - pair[0][client]);
    Ok(started.windows(2).map(between).collect())
}

async fn call(client: Client, clients: Clients, number: u64, due: Nanos, samples: Arc<Samples>) {
    let good = clients.call(client, number).await;
    samples.push(Sample {
        client,
        due,
        good,
        latency: CLOCK.now().since(due),
    });
}

fn attempts(buttress: &Buttress) -> Attempts {
    let snapshots = buttress.registry().snapshot(CLOCK.now());
    Client::GUARDED.map(|client| {
        snapshots
            .iter()
            .filter(|known| *known.policy == *client.name() && known.endpoint.is_some())
            .map(|known| known.counts.started)
            .sum()
    })
}
