//! The real library against a real KDC: what the doctor says, and what a process that lives on survives.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may fail this way"
)]

mod at_hand;
mod doctor;
mod kdc;
mod long_lived;
mod process;
mod silent;
mod skewed;
mod two_realms;

use std::time::{Duration, Instant};

/// Polls until it is so.
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + kdc::DEADLINE;
    while !so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
