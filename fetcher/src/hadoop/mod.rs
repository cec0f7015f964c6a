//! Hadoop as the fetcher sees it: its configuration files, Kerberos over HTTP, and the services that
//! issue delegation tokens ([`TokenService`]).

mod caller;
pub mod client_conf;
mod client_krb5;
pub mod conf;
mod error;
mod failover;
mod host;
pub mod http;
mod interval;
mod issued;
mod key_provider;
pub mod keytab;
mod kms;
mod label;
mod patience;
mod product;
mod realms;
mod remote;
mod resolver;
mod resource_manager;
mod service;
mod services;
pub mod spnego;
mod trust;
mod truststore;
mod webhdfs;
mod yarn_identifier;

pub use error::{HadoopError, TicketFault};
pub use key_provider::{InvalidKeyProvider, KeyProvider};
pub use product::Product;
pub use service::{Issued, TokenService};
pub use services::{HadoopServices, Settings, SetupError};
pub use trust::HttpSetupError;

#[cfg(test)]
mod tests;
