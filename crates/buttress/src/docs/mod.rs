//! Pages to read: how the parts fit together. They hold no code.

#[doc = include_str!("config.md")]
pub mod config {}
#[doc = include_str!("deadlines.md")]
pub mod deadlines {}
#[doc = include_str!("detection.md")]
pub mod detection {}
#[doc = include_str!("overload.md")]
pub mod overload {}
#[doc = include_str!("order.md")]
pub mod order {}
#[doc = include_str!("redundancy.md")]
pub mod redundancy {}
