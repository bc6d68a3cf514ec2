//! What is told of services that were started, stopped or given up.

use std::{error::Error, fmt, sync::Arc};

use buttress_core::PolicyError;

/// How a service ended that was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// By itself, before its time was over.
    InTime,
    /// It did not heed the word to stop within its time, and was aborted.
    Aborted,
    /// There was nothing to stop.
    NotRunning,
}

/// A service that was given up: it has failed more often than its policy allows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GaveUp {
    /// Its name.
    pub service: Arc<str>,
    /// Restarts, within the period of the policy, that did not help.
    pub restarts: u32,
    /// What it failed with in the end, as far as it may be told.
    pub why: Arc<str>,
}

/// Why a service was not started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// Its policy cannot be.
    Policy(PolicyError),
    /// One of that name has not ended yet.
    Running(Arc<str>),
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            service,
            restarts,
            why,
        } = self;
        write!(
            f,
            "service {service} was given up after {restarts} restarts"
        )?;
        if why.is_empty() {
            return Ok(());
        }
        write!(f, ": {why}")
    }
}

impl Error for GaveUp {}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(error) => error.fmt(f),
            Self::Running(name) => write!(f, "service {name} is already running"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Policy(error) => error.source(),
            Self::Running(_) => None,
        }
    }
}
