//! What the fake node and the programs on it do, until a test says otherwise: obey at once and always.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use operator::names::Role;

/// How the pods of a role behave. It holds for pods that are there already, and can be changed at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Behaviour {
    /// The container starts and becomes ready; its program takes the record and does what its register asks.
    #[default]
    Obeys,
    /// The container ends with this code each time it is started, and is started again after a second; it is never
    /// ready and takes no record.
    ExitsAlways(i32),
    /// The container stays as it is, or starts and becomes ready; its program does and tells nothing, as one that
    /// hangs.
    Silent,
    /// As [`Behaviour::Obeys`], but the container starts only this long after the node has seen its pod.
    Late(Duration),
    /// As [`Behaviour::Obeys`], but its program is a worker of the release before, which follows no parameters by its register.
    ReleaseBefore,
    /// The container runs and is never ready; its program takes the record and tells that it can make nothing of its spec.
    Refuses,
    /// The pod has a node, and its container never starts: its image cannot be pulled.
    NeverStarts,
}

/// The behaviour of each role, shared with the node.
#[derive(Debug, Clone, Default)]
pub struct Behaviours(Arc<Mutex<BTreeMap<Role, Behaviour>>>);

impl Behaviours {
    /// From now on the role's pods behave so.
    pub fn behave(&self, role: Role, behaviour: Behaviour) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(role, behaviour);
    }

    /// How a role's pods behave.
    pub fn of(&self, role: Role) -> Behaviour {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&role).copied().unwrap_or_default()
    }
}
