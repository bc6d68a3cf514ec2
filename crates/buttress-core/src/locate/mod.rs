//! Localising: which part of the traffic fails, why, and how sure that is.

mod candidate;
mod diagnosis;
mod record;
mod score;
