//! The special functions that decisions rest on. Total: no argument makes them panic or answer with no number.

mod beta;
mod binomial;
mod gamma;
mod normal;

pub(crate) use beta::ln_beta;
pub(crate) use binomial::{at_least, jeffreys_interval, jeffreys_mean, rate_at_most};
