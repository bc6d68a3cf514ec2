//! hyper-util's client over real sockets, and what only sockets can do to it.

mod faults;
mod frames;
mod resets;
mod served;
mod support;
mod well;
