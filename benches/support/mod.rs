//! What the benches share. A bench is an experiment: what it was asked, and what it found.

mod arguments;
mod median;

pub(crate) use arguments::{Arguments, ended};
pub(crate) use median::Median;
