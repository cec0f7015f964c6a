//! What must hold for whatever a stranger sends: one property for each target of the fuzzer, as a plain function.
//!
//! `cargo e2e fuzz` lets libFuzzer look for input that breaks one; `cargo test` tries the seeds. A property panics
//! where it does not hold.

// That is how libFuzzer is told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod claims;
pub mod paths;
mod people;
pub mod review;
pub mod stamp;

#[cfg(test)]
mod tests;
