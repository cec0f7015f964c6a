//! The token service: proves which pod asks ([`attest`]), gets Hadoop delegation tokens of its user
//! ([`hadoop`]), and keeps which job holds which ([`ledger`]).

pub mod attest;
pub mod audit;
mod bearer;
pub mod chain;
pub mod cli;
pub mod clock;
pub mod config;
mod doctor;
mod events;
mod guarded;
pub mod hadoop;
mod http;
pub mod issue;
pub mod ledger;
pub mod lifecycle;
pub mod metrics;
mod read_once;
mod serve;
pub mod service;
mod serving_cert;
mod stamp_keys;
