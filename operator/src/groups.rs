//! Objects as last seen, found by what they belong to: strategies by their account, pods by who owns them. A look at one of
//! thousands must not walk through all of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt as _};

/// The groups that an object belongs to, and its place in each. No two objects of one name have one place.
pub type Places<R> = Vec<(String, R)>;

/// Filled by a watch, by the same events as the store beside it. `R` orders the members of a group.
#[derive(Debug)]
pub struct Groups<K, R> {
    state: Mutex<State<K, R>>,
    places: fn(&K) -> Places<R>,
}

#[derive(Debug)]
struct State<K, R> {
    /// By namespace and name: where the object stands, and its version.
    placed: HashMap<(String, String), (Places<R>, Option<String>)>,
    members: HashMap<String, BTreeMap<R, K>>,
    /// What a new list has told so far: until it is whole, what was seen before stands.
    listed: Option<Vec<K>>,
    is_whole: bool,
}

impl<K: Resource<DynamicType = ()> + Clone, R: Ord + Clone> Groups<K, R> {
    /// None yet.
    pub fn new(places: fn(&K) -> Places<R>) -> Self {
        let empty = State { placed: HashMap::new(), members: HashMap::new(), listed: None, is_whole: false };
        Self { state: Mutex::new(empty), places }
    }

    fn state(&self) -> MutexGuard<'_, State<K, R>> {
        // A panic while this short lock is held leaves a whole state behind: members are put in one by one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what a watch tells.
    pub fn take(&self, event: &Event<K>) {
        let mut state = self.state();
        match event {
            Event::Init => state.listed = Some(Vec::new()),
            Event::InitApply(object) => state.listed.get_or_insert_default().push(object.clone()),
            Event::InitDone => {
                let listed = state.listed.take().unwrap_or_default();
                state.placed.clear();
                state.members.clear();
                for object in &listed {
                    state.put((self.places)(object), object);
                }
                state.is_whole = true;
            }
            Event::Apply(object) => state.put((self.places)(object), object),
            Event::Delete(object) => state.remove(&key(object)),
        }
    }

    /// Whether all were seen once.
    pub fn is_whole(&self) -> bool {
        self.state().is_whole
    }

    /// How many objects there are.
    pub fn count(&self) -> usize {
        self.state().placed.len()
    }

    /// The version of an object as last seen.
    pub fn version(&self, namespace: &str, name: &str) -> Option<String> {
        self.state().placed.get(&(namespace.to_owned(), name.to_owned()))?.1.clone()
    }

    /// The members of a group, in order.
    pub fn of(&self, group: &str) -> Vec<K> {
        self.state().members.get(group).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    /// The first member of a group for which something is found.
    pub fn first<T>(&self, group: &str, find: impl FnMut(&K) -> Option<T>) -> Option<T> {
        self.state().members.get(group)?.values().find_map(find)
    }
}

impl<K: Resource<DynamicType = ()> + Clone, R: Ord + Clone> State<K, R> {
    fn put(&mut self, places: Places<R>, object: &K) {
        let key = key(object);
        self.remove(&key);
        for (group, place) in &places {
            self.members.entry(group.clone()).or_default().insert(place.clone(), object.clone());
        }
        self.placed.insert(key, (places, object.resource_version()));
    }

    fn remove(&mut self, key: &(String, String)) {
        for (group, place) in self.placed.remove(key).map(|(places, _)| places).unwrap_or_default() {
            let Some(members) = self.members.get_mut(&group) else { continue };
            members.remove(&place);
            if members.is_empty() {
                self.members.remove(&group);
            }
        }
    }
}

fn key<K: Resource<DynamicType = ()>>(object: &K) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn named(name: &str, groups: &[&str]) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.to_owned());
        object.metadata.finalizers = Some(groups.iter().map(|group| (*group).to_owned()).collect());
        object
    }

    fn places(object: &ConfigMap) -> Places<String> {
        object.finalizers().iter().map(|group| (group.clone(), object.name_any())).collect()
    }

    fn names(groups: &Groups<ConfigMap, String>, group: &str) -> Vec<String> {
        groups.of(group).iter().map(kube::ResourceExt::name_any).collect()
    }

    #[test]
    fn an_object_stands_in_its_groups_of_now_and_a_list_replaces_all_at_once() {
        let groups = Groups::new(places);
        assert!(!groups.is_whole());
        groups.take(&Event::Init);
        for object in [named("b", &["x"]), named("a", &["x", "y"])] {
            groups.take(&Event::InitApply(object));
        }
        assert!(names(&groups, "x").is_empty() && !groups.is_whole(), "the list is not whole yet");
        groups.take(&Event::InitDone);
        assert!(groups.is_whole());
        assert_eq!((names(&groups, "x"), names(&groups, "y")), (vec!["a".into(), "b".into()], vec!["a".to_owned()]));
        assert_eq!(
            groups.first("x", |object| Some(object.name_any()).filter(|name| name != "a")).as_deref(),
            Some("b")
        );
        // It has moved.
        groups.take(&Event::Apply(named("a", &["z"])));
        assert_eq!((names(&groups, "x"), names(&groups, "y")), (vec!["b".to_owned()], Vec::new()));
        groups.take(&Event::Delete(named("a", &[])));
        assert!(names(&groups, "z").is_empty());
        assert_eq!(groups.state().members.len(), 1, "an empty group is not kept");
        groups.take(&Event::Init);
        groups.take(&Event::InitApply(named("c", &["x"])));
        assert_eq!(names(&groups, "x"), ["b"], "what was seen before stands until the list is whole");
        groups.take(&Event::InitDone);
        assert_eq!(names(&groups, "x"), ["c"]);
    }
}
