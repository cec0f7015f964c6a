//! What webhook and fetcher both run on: configuration and its reload, logging, audit log, TLS listener, admin port, drain, guards.

pub mod admin;
pub mod audit;
pub mod config;
pub mod guards;
pub mod listen;
pub mod logging;
pub mod readiness;
pub mod reload;
pub mod shutdown;
pub mod tls;
