//! The names of the servers on this machine, and the address they listen on.

use std::fs;
use std::net::{IpAddr, ToSocketAddrs};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{places, process};

const HOSTS: &str = "/etc/hosts";
const BEGIN: &str = "# BEGIN kube2hadoop-e2e";
const END: &str = "# END kube2hadoop-e2e";

/// Makes the servers' names resolve here, and the bridge exist where the address is the bridge's.
pub(super) fn up(address: IpAddr) -> Result<()> {
    if address.to_string() == places::ADDRESS {
        bridge()?;
    }
    let names = names(address)?;
    if names.iter().all(resolves) {
        return Ok(());
    }
    let lines: String = names
        .iter()
        .map(|(host, address)| format!("{address} {host}\n"))
        .collect();
    change_hosts(|hosts| format!("{}{BEGIN}\n{lines}{END}\n", without_block(hosts)))
}

/// Takes the names out again. The bridge is the cluster's.
pub(super) fn down() -> Result<()> {
    change_hosts(without_block)
}

/// The main cluster's names, which the local cluster knows, too, and the annex's.
fn names(address: IpAddr) -> Result<Vec<(&'static str, IpAddr)>> {
    let mut names: Vec<_> = places::HADOOP_HOSTS
        .iter()
        .map(|host| (*host, address))
        .collect();
    for (host, own) in places::ANNEX_HOSTS {
        names.push((host, own.parse()?));
    }
    Ok(names)
}

fn resolves((host, address): &(&str, IpAddr)) -> bool {
    let found = (*host, 0).to_socket_addrs();
    found.is_ok_and(|mut found| found.all(|found| found.ip() == *address))
}

/// Hadoop may come up before the cluster, which makes the same bridge.
fn bridge() -> Result<()> {
    let ip = |args: &[&str]| process::run(Command::new("ip").args(args));
    if ip(&["link", "show", places::BRIDGE]).is_err() {
        ip(&["link", "add", places::BRIDGE, "type", "bridge"])?;
    }
    let network = format!("{}/24", places::ADDRESS);
    if !ip(&["-o", "addr", "show", "dev", places::BRIDGE])?.contains(&network) {
        ip(&["addr", "add", &network, "dev", places::BRIDGE])?;
    }
    ip(&["link", "set", places::BRIDGE, "up"]).map(drop)
}

/// Written in place: container runtimes bind-mount the file, and a rename would fail there.
fn change_hosts(change: impl Fn(&str) -> String) -> Result<()> {
    let hosts = fs::read_to_string(HOSTS).context("failed to read /etc/hosts")?;
    let changed = change(&hosts);
    if changed == hosts {
        return Ok(());
    }
    fs::write(HOSTS, changed).context("failed to write /etc/hosts")
}

fn without_block(hosts: &str) -> String {
    let mut kept = String::new();
    let mut inside = false;
    for line in hosts.lines() {
        inside |= line == BEGIN;
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
        inside &= line != END;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_block_goes() {
        let hosts = format!("127.0.0.1 localhost\n{BEGIN}\n10.0.0.1 nn1\n{END}\n127.0.1.1 me\n");
        assert_eq!(without_block(&hosts), "127.0.0.1 localhost\n127.0.1.1 me\n");
    }
}
