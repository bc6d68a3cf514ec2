//! What goes wrong, and when.

use std::time::Duration;

use buttress::{FaultKind, Nanos};

use crate::{Fallible, fleet::Replica};

#[derive(Clone, Copy)]
pub(crate) enum Fault {
    Killed,
    Frozen,
    Slow,
    Half,
    Refused,
}

/// Each fault, and the index of the replica it hits.
const FAULTS: [(Fault, usize); 5] = [
    (Fault::Killed, 0),
    (Fault::Frozen, 1),
    (Fault::Slow, 2),
    (Fault::Half, 0),
    (Fault::Refused, 1),
];

impl Fault {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Frozen => "frozen",
            Self::Slow => "slow",
            Self::Half => "half",
            Self::Refused => "refused",
        }
    }

    pub(crate) const fn does(self) -> &'static str {
        match self {
            Self::Killed => "kill -9",
            Self::Frozen => "SIGSTOP: it holds connections, and answers nothing",
            Self::Slow => "it takes ten times as long",
            Self::Half => "half of its answers are 500",
            Self::Refused => "its listener and connections close; the process lives",
        }
    }

    /// The sorts of fault that it is, to one client: a replica whose health page is fine while calls fail is grey.
    pub(crate) const fn kinds(self) -> &'static [FaultKind] {
        match self {
            Self::Killed | Self::Refused => &[FaultKind::Crash],
            Self::Frozen => &[FaultKind::Hang],
            Self::Slow => &[FaultKind::Slow],
            Self::Half => &[FaultKind::Grey, FaultKind::Errors],
        }
    }

    pub(crate) const fn undoes(self) -> &'static str {
        match self {
            Self::Killed => "restarted on the same port",
            Self::Frozen => "SIGCONT",
            Self::Slow | Self::Half => "well again",
            Self::Refused => "listening again",
        }
    }

    pub(crate) fn strike(self, replica: &mut Replica) -> Fallible<()> {
        match self {
            Self::Killed => replica.kill(),
            Self::Frozen => replica.freeze(),
            Self::Slow => replica.order("slow"),
            Self::Half => replica.order("half"),
            Self::Refused => replica.order("refuse"),
        }
    }

    pub(crate) fn heal(self, replica: &mut Replica) -> Fallible<()> {
        match self {
            Self::Killed => replica.restart(),
            Self::Frozen => replica.thaw(),
            Self::Slow | Self::Half | Self::Refused => replica.order("heal"),
        }
    }
}

/// When one fault is to happen: some calm, the fault, and time to recover. Calls due within count for it.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) fault: Fault,
    pub(crate) replica: usize,
    pub(crate) begins: Nanos,
    pub(crate) strikes: Nanos,
    pub(crate) heals: Nanos,
    pub(crate) ends: Nanos,
}

impl Slot {
    pub(crate) fn plan(begin: Nanos, run: Duration) -> Vec<Self> {
        let slot = run / FAULTS.len() as u32;
        FAULTS
            .into_iter()
            .zip(0..)
            .map(|((fault, replica), number)| {
                let begins = begin.after(slot * number);
                Self {
                    fault,
                    replica,
                    begins,
                    strikes: begins.after(slot / 8),
                    heals: begins.after(slot * 9 / 16),
                    ends: begin.after(slot * (number + 1)),
                }
            })
            .collect()
    }
}

/// When it did happen.
pub(crate) struct Struck {
    pub(crate) from: Nanos,
    pub(crate) to: Nanos,
}
