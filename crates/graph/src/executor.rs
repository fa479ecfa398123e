//! The one door between a graph and whatever runs it.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::tensor::Tensor;
use crate::value::Value;

/// Names one entry of a store, for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StateId(pub u64);

impl StateId {
    /// An id that no other state of this process has.
    pub fn fresh() -> StateId {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(1);
        StateId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Where the values of [`State`](crate::ops::State) nodes live: parameters, running statistics, moments.
pub trait States {
    /// The value of a state.
    fn get(&self, id: StateId) -> Option<&Value>;
    /// The value of a state, to be overwritten in place.
    fn get_mut(&mut self, id: StateId) -> Option<&mut Value>;
}

/// No state at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStates;

impl States for NoStates {
    fn get(&self, _: StateId) -> Option<&Value> {
        None
    }
    fn get_mut(&mut self, _: StateId) -> Option<&mut Value> {
        None
    }
}

impl States for BTreeMap<StateId, Value> {
    fn get(&self, id: StateId) -> Option<&Value> {
        BTreeMap::get(self, &id)
    }
    fn get_mut(&mut self, id: StateId) -> Option<&mut Value> {
        BTreeMap::get_mut(self, &id)
    }
}

/// The value of an [`Input`](crate::ops::Input) node for one run.
#[derive(Clone, Debug)]
pub struct Feed<V> {
    /// The input node.
    pub input: Tensor,
    /// Its value.
    pub value: V,
}

/// Something that computes values of tensors.
pub trait Executor {
    /// The values of `outputs`; then each state of `updates` takes the value of its tensor. Every read of a
    /// state sees the value from before the run. Nothing is written when anything fails.
    fn run(
        &self,
        outputs: &[Tensor],
        updates: &[(StateId, Tensor)],
        feeds: &[Feed<Value>],
        states: &mut dyn States,
    ) -> Result<Vec<Value>, Error>;
}
