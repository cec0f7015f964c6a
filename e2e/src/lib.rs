//! `cargo e2e`: a real Kubernetes cluster and a real secure Hadoop, the demo, the tests and the bench.
//!
//! Blocking code that drives child processes; every part can be called again after a crash of any other.

// A command line tool speaks to its user on stdout.
#![allow(clippy::print_stdout)]
// A serde_json::Value gives Null for a key that is not there; nothing panics.
#![allow(clippy::indexing_slicing)]

pub mod authority;
pub mod bench;
pub mod buildah;
pub mod chart;
pub mod cli;
pub mod demo;
pub mod directory;
pub mod dist;
pub mod fuzz;
pub mod hadoop;
pub mod images;
pub mod kubectl;
pub mod libhdfs;
pub mod native;
pub mod packages;
pub mod places;
pub mod process;
pub mod progress;
pub mod provider;
pub mod spark;
pub mod stage;
pub mod test;
pub mod toolchain;
pub mod training;
pub mod workload;
