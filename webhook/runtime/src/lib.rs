//! What webhook and fetcher both run on: configuration and its reload, logging, audit log, TLS listener, bodies,
//! admin port, drain, the API server, guards, no core files.

pub mod admin;
pub mod api_server;
pub mod audit;
pub mod body;
pub mod config;
pub mod core_files;
pub mod guards;
pub mod listen;
pub mod logging;
pub mod readiness;
pub mod reload;
pub mod shutdown;
pub mod tls;
