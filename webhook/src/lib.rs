//! The mutating admission webhook: finds out who is behind a request, stamps them on the pod, and injects what
//! fetches their Hadoop tokens.
//!
//! [`admission::admit`] is a pure function; everything that touches the network stands around it.

pub mod admission;
mod audit;
pub mod config;
pub mod identity;
pub mod inject;
pub mod kinds;
pub mod ldap;
pub mod metrics;
pub mod pod;
pub mod provision;
pub mod review;
pub mod run;
pub mod server;
