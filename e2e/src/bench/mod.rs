//! `cargo e2e bench`: what the parts cost, measured on this machine against what is up.

mod client;
mod fetcher;
mod load;
mod pod_start;
mod server;
mod webhook;

use anyhow::Result;

use crate::stage::Stage;

/// Measures each part and prints a line or a few for it.
pub fn run(stage: &Stage) -> Result<()> {
    webhook::run(stage)?;
    client::run()?;
    fetcher::run(stage)?;
    pod_start::run(stage)
}

/// The middle value; of an even count the upper one.
fn median<T: Copy + PartialOrd>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_does_not_care_for_order() {
        assert_eq!(median(&[9, 1, 5]), Some(5));
        assert_eq!(median::<u8>(&[]), None);
    }
}
