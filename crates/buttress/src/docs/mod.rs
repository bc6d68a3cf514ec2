//! Pages to read: how the parts fit together. They hold no code.

#[doc = include_str!("coming_from_envoy.md")]
pub mod coming_from_envoy {}
#[doc = include_str!("coming_from_tower.md")]
pub mod coming_from_tower {}
#[doc = include_str!("coming_from_tower_resilience.md")]
pub mod coming_from_tower_resilience {}
#[doc = include_str!("config.md")]
pub mod config {}
#[doc = include_str!("conformance.md")]
pub mod conformance {}
#[doc = include_str!("deadlines.md")]
pub mod deadlines {}
#[doc = include_str!("detection.md")]
pub mod detection {}
#[cfg(feature = "http")]
#[doc = include_str!("http.md")]
pub mod http {}
#[doc = include_str!("overload.md")]
pub mod overload {}
#[doc = include_str!("order.md")]
pub mod order {}
#[doc = include_str!("redundancy.md")]
pub mod redundancy {}
#[cfg(feature = "http")]
#[doc = include_str!("servers.md")]
pub mod servers {}
