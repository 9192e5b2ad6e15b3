//! What must hold of pods whatever happens: no name is used twice, no pod stands beside another of its owner, and
//! epochs only go up. Written from the rules alone, from what a watch shows.

use std::collections::{BTreeMap, BTreeSet};

/// Pods by their names, as a watch shows them.
#[derive(Debug, Default)]
pub struct Audit {
    /// The uid that each name was first seen with.
    names: BTreeMap<String, String>,
    /// Epochs of pods that have not gone, by owner.
    live: BTreeMap<String, BTreeSet<u64>>,
    /// The newest epoch of each owner.
    newest: BTreeMap<String, u64>,
    /// What was broken.
    pub faults: Vec<String>,
}

/// `strategy-grid-7` is epoch 7 of `strategy-grid`.
fn split(name: &str) -> Option<(String, u64)> {
    let (owner, epoch) = name.rsplit_once('-')?;
    Some((owner.to_owned(), epoch.parse().ok()?))
}

impl Audit {
    /// A pod of the operator is there.
    pub fn seen(&mut self, name: &str, uid: &str) {
        let Some((owner, epoch)) = split(name) else { return };
        match self.names.get(name) {
            Some(known) if known == uid => return,
            Some(_) => self.faults.push(format!("{name} was made twice")),
            None => {}
        }
        self.names.insert(name.to_owned(), uid.to_owned());
        let live = self.live.entry(owner.clone()).or_default();
        if !live.is_empty() {
            self.faults.push(format!("{name} was made beside epochs {live:?}"));
        }
        live.insert(epoch);
        let newest = self.newest.entry(owner).or_default();
        if epoch <= *newest {
            self.faults.push(format!("{name} was made after epoch {newest}"));
        }
        *newest = epoch.max(*newest);
    }

    /// A pod is gone.
    pub fn gone(&mut self, name: &str) {
        let Some((owner, epoch)) = split(name) else { return };
        if let Some(live) = self.live.get_mut(&owner) {
            live.remove(&epoch);
        }
    }

    /// How many pods of the operator there have been.
    pub fn count(&self) -> usize {
        self.names.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_seen_when_it_is_broken() {
        let broken = |events: &[(&str, &str)]| {
            let mut audit = Audit::default();
            for (name, uid) in events {
                if uid.is_empty() { audit.gone(name) } else { audit.seen(name, uid) }
            }
            audit.faults.len()
        };
        assert_eq!(broken(&[("s-a-1", "u"), ("s-a-1", "u"), ("s-a-1", ""), ("s-a-2", "v"), ("s-b-1", "w")]), 0);
        assert_eq!(broken(&[("s-a-1", "u"), ("s-a-2", "v")]), 1);
        assert_eq!(broken(&[("s-a-2", "u"), ("s-a-2", ""), ("s-a-1", "v")]), 1);
        assert_eq!(broken(&[("s-a-1", "u"), ("s-a-1", ""), ("s-a-1", "v")]), 2);
    }
}
