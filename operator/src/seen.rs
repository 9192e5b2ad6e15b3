//! An object as it was last seen. Many looks hold it at once, and none copies it: an account of thousands of strategies is
//! looked at by each of them.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::object::HasSpec;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::unknown;

/// Cheap to clone; copied where it is changed while another holds it.
#[derive(Debug)]
pub struct Seen<K>(Arc<Read<K>>);

#[derive(Debug, Clone)]
struct Read<K> {
    object: K,
    unknown_fields: Vec<String>,
}

impl<K> Seen<K> {
    /// The paths of fields in its spec that are not known here.
    pub fn unknown_fields(&self) -> &[String] {
        &self.0.unknown_fields
    }
}

impl<K> Clone for Seen<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> From<K> for Seen<K> {
    fn from(object: K) -> Self {
        Self(Arc::new(Read { object, unknown_fields: Vec::new() }))
    }
}

impl<K> Deref for Seen<K> {
    type Target = K;

    fn deref(&self) -> &K {
        &self.0.object
    }
}

impl<K: Clone> DerefMut for Seen<K> {
    fn deref_mut(&mut self) -> &mut K {
        &mut Arc::make_mut(&mut self.0).object
    }
}

impl<'de, K: DeserializeOwned + HasSpec<Spec: Serialize>> Deserialize<'de> for Seen<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Value::deserialize(deserializer)?;
        let object = K::deserialize(&raw).map_err(D::Error::custom)?;
        let unknown_fields = unknown::fields(&raw["spec"], object.spec(), "spec");
        Ok(Self(Arc::new(Read { object, unknown_fields })))
    }
}

impl<K: Serialize> Serialize for Seen<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        K::serialize(self, serializer)
    }
}

impl<K: Resource + Clone> Resource for Seen<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dynamic)
    }

    fn group(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dynamic)
    }

    fn version(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dynamic)
    }

    fn plural(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.object.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        Arc::make_mut(&mut self.0).object.meta_mut()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    #[test]
    fn whoever_changes_one_changes_it_for_nobody_else() {
        let one = Seen::from(ConfigMap::default());
        let mut other = one.clone();
        assert!(std::ptr::eq(one.meta(), other.meta()), "nothing is copied before");
        other.meta_mut().name = Some("other".to_owned());
        assert_eq!((one.meta().name.as_deref(), other.meta().name.as_deref()), (None, Some("other")));
    }
}
