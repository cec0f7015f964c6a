//! What must hold for whatever answers in Hadoop's place, or stands in its configuration files: one property for each
//! target of the fuzzer, as a plain function.
//!
//! `cargo e2e fuzz` lets libFuzzer look for input that breaks one; `cargo test` tries the seeds. A property panics
//! where it does not hold.

// That is how libFuzzer is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod answers;
pub mod configuration;
mod stranger;

#[cfg(test)]
mod tests;
