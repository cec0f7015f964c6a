//! The object under review: of a pod what admission reads, of anything else all of it, in one pass over the body.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{CowStrDeserializer, MapAccessDeserializer};
use serde::de::{DeserializeSeed, Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::Text;
use crate::pod::Pod;

/// What is created, updated or connected to.
#[derive(Debug)]
pub enum Object<'a> {
    /// A core/v1 Pod. What admission does not read of it is skipped unparsed.
    Pod(Box<Pod<'a>>),
    Other(Value),
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut kind = TypeMeta::default();
        let next = kind.read(&mut map)?;
        let rest = MapAccessDeserializer::new(Rest { next, map });
        if kind.is_pod() {
            return Ok(Object::Pod(Box::new(Pod::deserialize(rest)?)));
        }
        let mut object: Map<String, Value> = Map::deserialize(rest)?;
        kind.put_back(&mut object)?;
        Ok(Object::Other(Value::Object(object)))
    }
}

/// The members that the API server writes first (k8s.io/apimachinery, meta/v1 TypeMeta).
#[derive(Default)]
struct TypeMeta<'a> {
    kind: Option<Text<'a>>,
    api_version: Option<Text<'a>>,
}

impl<'de> TypeMeta<'de> {
    /// Reads on to the first other key, and gives it.
    fn read<A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<Option<Text<'de>>, A::Error> {
        while let Some(key) = map.next_key::<Text<'de>>()? {
            let slot = match &*key {
                "kind" => &mut self.kind,
                "apiVersion" => &mut self.api_version,
                _ => return Ok(Some(key)),
            };
            if slot.replace(map.next_value()?).is_some() {
                return Err(A::Error::custom(format_args!("{key} stands twice")));
            }
        }
        Ok(None)
    }

    fn is_pod(&self) -> bool {
        self.kind.as_deref() == Some("Pod") && self.api_version.as_deref() == Some("v1")
    }

    fn put_back<E: Error>(self, object: &mut Map<String, Value>) -> Result<(), E> {
        for (key, value) in [("kind", self.kind), ("apiVersion", self.api_version)] {
            let Some(value) = value else { continue };
            let value = Value::String(value.to_string());
            if object.insert(key.to_owned(), value).is_some() {
                return Err(E::custom(format_args!("{key} stands twice")));
            }
        }
        Ok(())
    }
}

/// A map of which one key has been read already.
struct Rest<'de, A> {
    next: Option<Text<'de>>,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        match self.next.take() {
            Some(key) => {
                let key: CowStrDeserializer<'de, A::Error> = Cow::from(key).into_deserializer();
                seed.deserialize(key).map(Some)
            }
            None => self.map.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Object<'_>, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn a_pod_is_told_by_what_stands_first() {
        for text in [
            r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"},"spec":{}}"#,
            r#"{"apiVersion":"v1","kind":"Pod","spec":{},"metadata":{"name":"p"}}"#,
        ] {
            let Object::Pod(pod) = read(text).unwrap() else {
                panic!("{text}")
            };
            assert_eq!(pod.metadata.name.as_deref(), Some("p"));
        }
    }

    #[test]
    fn anything_else_is_read_whole() {
        for text in [
            "{}",
            r#"{"kind":"Job","apiVersion":"batch/v1"}"#,
            r#"{"kind":"Pod","apiVersion":"example.org/v1","spec":{"a":[1,2.5,null]}}"#,
            r#"{"metadata":{"name":"p"},"kind":"Pod","apiVersion":"v1"}"#,
        ] {
            let Object::Other(object) = read(text).unwrap() else {
                panic!("{text}")
            };
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(object, expected);
        }
    }

    #[test]
    fn a_kind_that_stands_twice_is_refused() {
        for text in [
            r#"{"kind":"Pod","kind":"Job","apiVersion":"v1"}"#,
            r#"{"kind":"Job","apiVersion":"batch/v1","spec":{},"kind":"Pod"}"#,
            "[]",
            r#"{"kind":1}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
