//! A crash writes no keys or tokens to the node.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

#[path = "../../webhook/runtime/tests/core_files/mod.rs"]
mod core_files;

#[test]
fn no_core_file() {
    core_files::are_left_by_no_crash_of(env!("CARGO_BIN_EXE_kube2hadoop-fetcher"));
}
