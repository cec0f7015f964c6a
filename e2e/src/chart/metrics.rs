//! Do alerts, dashboard and README name metrics that the programs register?

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::places;

const TEXTS: [&str; 3] = [
    "deploy/chart/kube2hadoop/templates/alerts.yaml",
    "deploy/chart/kube2hadoop/dashboard.json",
    "README.md",
];
/// A program's prefix, and the sources that register what follows it.
const PROGRAMS: [(&str, [&str; 2]); 2] = [
    (
        "kube2hadoop_webhook_",
        ["webhook/src", "webhook/runtime/src"],
    ),
    (
        "kube2hadoop_fetcher_",
        ["fetcher/src", "webhook/runtime/src"],
    ),
];
/// What the text format adds to the name of a counter, and of a histogram.
const ADDED: [&str; 2] = ["_total", "_bucket"];

/// All of them.
pub(super) fn are_registered() -> Result<()> {
    for (prefix, sources) in PROGRAMS {
        let mut code = String::new();
        for directory in sources {
            read_into(&mut code, &places::repository().join(directory))?;
        }
        for text in TEXTS {
            let words = fs::read_to_string(places::repository().join(text))?;
            let mut names = words
                .split(|it: char| !it.is_ascii_alphanumeric() && it != '_')
                .filter_map(|word| word.strip_prefix(prefix))
                .peekable();
            ensure!(names.peek().is_some(), "{text} names no metric {prefix}…");
            for name in names {
                let bare = ADDED.iter().find_map(|added| name.strip_suffix(added));
                let literal = format!("\"{}\"", bare.unwrap_or(name));
                ensure!(
                    code.contains(&literal),
                    "{text} names {prefix}{name}, which nothing in {sources:?} registers"
                );
            }
        }
    }
    Ok(())
}

fn read_into(code: &mut String, directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            read_into(code, &path)?;
        } else {
            code.push_str(&fs::read_to_string(&path)?);
        }
    }
    Ok(())
}
