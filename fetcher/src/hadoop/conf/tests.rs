use std::fs;

use super::*;

const SITE: &str = "<property><name>a</name><value>1</value></property>";

fn parse_error(text: &str) -> String {
    file::parse(Path::new("core-site.xml"), text)
        .unwrap_err()
        .to_string()
}

#[test]
fn the_later_file_wins_unless_the_earlier_is_final() {
    let conf = Conf::from_texts(
        "<property><name>a</name><value>core</value></property>
         <property><name>b</name><value>core</value><final>true</final></property>",
        "<property><name>a</name><value>hdfs</value></property>
         <property><name>b</name><value>hdfs</value></property>",
    );
    assert_eq!(conf.get("a").unwrap(), "hdfs");
    assert_eq!(conf.get("b").unwrap(), "core");
}

#[test]
fn every_way_to_write_a_property_is_read() {
    let conf = Conf::from_texts(
        r#"<property name="attr" value="1" final="true"/>
           <property><name> blank </name><value>
             two </value><description>d</description></property>
           <property><name>cdata</name><value><![CDATA[a<b]]>&amp;<!-- c -->c</value></property>
           <property><name>fs.default.name</name><value>hdfs://old</value></property>
           <property><name>empty</name><value/></property>"#,
        r"<property><name>var</name><value>${blank}-${attr}</value></property>",
    );
    assert_eq!(conf.get("attr").unwrap(), "1");
    assert_eq!(conf.get("blank").unwrap(), "two");
    assert_eq!(conf.get("cdata").unwrap(), "a<b&c");
    assert_eq!(conf.get("fs.defaultFS").unwrap(), "hdfs://old");
    assert_eq!(conf.get("empty"), None);
    assert!(conf.get("var").unwrap().ends_with("-1"));
    assert_eq!(conf.list("cdata"), ["a<b&c"]);
}

#[test]
fn what_is_wrong_is_said_with_file_and_line() {
    let broken = format!("<configuration>\n{SITE}\n<property>\n</configuration>");
    assert!(parse_error(&broken).starts_with("core-site.xml, line 4: the XML is broken"));
    let dtd = "<?xml version=\"1.0\"?>\n<!DOCTYPE c [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n<configuration/>";
    assert!(parse_error(dtd).contains("a DTD and its entities are not read"));
    let include = "<configuration xmlns:xi=\"http://www.w3.org/2001/XInclude\">\n<xi:include href=\"x.xml\"/></configuration>";
    assert!(parse_error(include).starts_with("core-site.xml, line 2: includes are not followed"));
    assert!(parse_error("<html/>").contains("line 1: the outermost element is <html>"));
    assert!(
        parse_error("<configuration>\n\n<property/></configuration>")
            .contains("line 3: this property")
    );
    assert!(parse_error("").contains("the XML is broken"));
    let bell = parse_error("<configuration></configuration\u{7}>");
    assert!(
        bell.ends_with("expected '>' not '\u{fffd}' at 1:31"),
        "{bell}"
    );
}

#[test]
fn a_directory_needs_core_site_and_text() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        Conf::read_dir(dir.path()),
        Err(ConfError::Read { .. })
    ));
    fs::write(
        dir.path().join("core-site.xml"),
        format!("\u{feff}<configuration>{SITE}</configuration>"),
    )
    .unwrap();
    assert_eq!(Conf::read_dir(dir.path()).unwrap().get("a").unwrap(), "1");
    fs::write(
        dir.path().join("hdfs-site.xml"),
        b"<configuration>\xff</configuration>",
    )
    .unwrap();
    assert!(matches!(
        Conf::read_dir(dir.path()),
        Err(ConfError::NotUtf8 { .. })
    ));
    fs::write(dir.path().join("hdfs-site.xml"), vec![b' '; 5_000_000]).unwrap();
    assert!(matches!(
        Conf::read_dir(dir.path()),
        Err(ConfError::TooLarge { .. })
    ));
}
