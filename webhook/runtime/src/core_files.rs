//! No core files: they would hold keys and tokens.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Has the kernel write no memory of ours anywhere, and nobody but root look into it.
pub fn forbid() {
    if let Err(error) = no_file().and_then(|()| not_dumpable()) {
        tracing::warn!(%error, "a crash may leave a core file with keys in it: see the seccomp profile");
    }
}

fn no_file() -> rustix::io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)
}

/// A node that pipes core files to a program heeds no limit.
#[cfg(target_os = "linux")]
fn not_dumpable() -> rustix::io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

#[cfg(not(target_os = "linux"))]
fn not_dumpable() -> rustix::io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn neither_a_file_nor_a_program_gets_our_memory() {
        forbid();
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
    }
}
