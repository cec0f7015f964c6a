//! What happens to tokens after they were issued: one leader renews them while their job has live pods, and
//! cancels them when it has none.
//!
//! The decisions are pure ([`lease`], [`jobs`], [`plan`], [`keeper`]); [`kubernetes`] brings the facts,
//! [`deeds`] does what was decided.

pub mod configured;
pub mod deeds;
pub mod election;
pub mod herald;
pub mod jobs;
pub mod keeper;
pub mod kubernetes;
pub mod lease;
pub mod metrics;
pub mod plan;
pub mod run;
pub mod schedule;
pub mod timing;
