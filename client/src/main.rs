//! The injected init container: asks the fetcher for this pod's tokens and writes them to its volume.

mod init;

use std::process::ExitCode;

fn main() -> ExitCode {
    init::main()
}
