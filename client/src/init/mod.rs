//! From environment to files, in the order of the modules below.

mod cli;
mod settings;

mod backoff;
mod exchange;
mod obtain;
mod service_account;
mod trust;

mod deposit;
mod refresh;

mod failure;
mod report;

use std::process::ExitCode;

use cli::Command;
use exchange::Exchange;
use failure::Failure;
use settings::Settings;

pub(crate) fn main() -> ExitCode {
    let done = match cli::parse(std::env::args_os().skip(1)) {
        Ok(Command::Print(text)) => return report::print(&text),
        Ok(Command::Once) => once(),
        Ok(Command::Refresh) => refresh::forever(),
        Err(error) => Err(Failure::Usage(error)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report::failed(&failure),
    }
}

fn once() -> Result<(), Failure> {
    refresh::exit_when_terminated(refresh::Ended::Early);
    let settings = Settings::from_env()?;
    let exchange = Exchange::new(&settings);
    let answer = obtain::obtain(&settings, &exchange)?;
    deposit::deposit(&settings, &answer)?;
    report::last_words(&report::written(&answer));
    Ok(())
}
