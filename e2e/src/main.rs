use std::process::ExitCode;

fn main() -> ExitCode {
    kube2hadoop_e2e::cli::main()
}
