//! What the lifecycle reads and writes in Kubernetes: the Lease, and watches of pods and of the ledger.

pub mod leases;
pub mod watches;
