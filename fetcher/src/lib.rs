//! The token service: proves which pod asks ([`attest`]), gets Hadoop delegation tokens of its user
//! ([`hadoop`]), and keeps which job holds which ([`ledger`]).

pub mod attest;
pub mod audit;
pub mod bearer;
pub mod chain;
pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod events;
pub mod guarded;
pub mod hadoop;
pub mod http;
pub mod issue;
pub mod ledger;
pub mod lifecycle;
pub mod metrics;
pub mod read_once;
pub mod serve;
pub mod service;
pub mod serving_cert;
pub mod stamp_keys;
