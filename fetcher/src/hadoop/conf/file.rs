//! One configuration file: XML to properties, strictly, with the line of what is wrong.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use roxmltree::{Document, Node};

use super::{ConfError, Property};

const MAX_BYTES: u64 = 4 * 1024 * 1024;

pub(super) fn read(path: &Path) -> Result<Vec<Property>, ConfError> {
    let failed = |source| ConfError::Read {
        path: path.into(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ConfError::TooLarge {
            path: path.into(),
            limit: MAX_BYTES,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| ConfError::NotUtf8 { path: path.into() })?;
    parse(path, &text)
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<Property>, ConfError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = Document::parse(text).map_err(|source| broken(path, source))?;
    let line = |node: Node<'_, '_>| document.text_pos_at(node.range().start).row;
    let root = document.root_element();
    if root.tag_name().name() != "configuration" {
        let found = root.tag_name().name().to_owned();
        return Err(ConfError::Root {
            path: path.into(),
            line: line(root),
            found,
        });
    }
    // Hadoop allows includes anywhere; a property lost silently would be worse than an error.
    if let Some(include) = root
        .descendants()
        .find(|node| node.tag_name().name() == "include")
    {
        return Err(ConfError::Include {
            path: path.into(),
            line: line(include),
        });
    }
    let properties = root
        .descendants()
        .filter(|node| node.tag_name().name() == "property");
    properties
        .map(|node| {
            property(node).ok_or_else(|| ConfError::NoName {
                path: path.into(),
                line: line(node),
            })
        })
        .collect()
}

fn broken(path: &Path, source: roxmltree::Error) -> ConfError {
    let (path, line) = (path.to_owned(), source.pos().row);
    match source {
        roxmltree::Error::DtdDetected => ConfError::Dtd { path, line },
        // It has the character that was met, whatever a terminal makes of that.
        source => ConfError::Xml {
            path,
            line,
            what: source.to_string().replace(char::is_control, "\u{fffd}"),
        },
    }
}

/// Values stand in child elements, or in attributes of the same names.
fn property(node: Node<'_, '_>) -> Option<Property> {
    let part = |name: &str| {
        let child = node
            .children()
            .find(|child| child.tag_name().name() == name);
        child
            .map(text_of)
            .or_else(|| node.attribute(name).map(str::to_owned))
    };
    let name = part("name")?.trim().to_owned();
    (!name.is_empty()).then(|| Property {
        name,
        value: part("value").unwrap_or_default(),
        is_final: part("final").is_some_and(|text| text.trim() == "true"),
    })
}

/// All text inside, since a comment or CDATA splits it into several nodes.
fn text_of(node: Node<'_, '_>) -> String {
    node.descendants()
        .filter(Node::is_text)
        .filter_map(|text| text.text())
        .collect()
}
