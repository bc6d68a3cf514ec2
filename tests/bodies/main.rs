//! Bodies on real sockets: when a call is over, what is sent again, what errors say.

mod idle;
mod long;
mod parsing;
mod permits;
mod support;
mod uploads;
mod words;
