//! The store: where the values of a network live. It is a plain value, never global: parameters, running
//! statistics, optimizer moments and counters, each under a name, in the order they came.

mod file;
mod names;

pub use file::file_dtype;

use std::collections::HashMap;
use std::fmt;

use thalweg_graph::{Layer, StateId, States, Value};

use crate::context::stream_of;
use crate::module::{Found, Module, walk};
use crate::param::{Param, Role};

/// What an entry of a store is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A trained parameter.
    Parameter,
    /// A layer's own: running statistics.
    Buffer,
    /// An optimizer's: moments.
    Optimizer,
    /// A counter: steps, the position of a random stream.
    Counter,
}

impl EntryKind {
    /// Every kind, in a fixed order: all of them together are a checkpoint.
    pub const ALL: [EntryKind; 4] =
        [EntryKind::Parameter, EntryKind::Buffer, EntryKind::Optimizer, EntryKind::Counter];

    /// The kinds that are the network itself, and all that a prediction needs.
    pub const MODEL: [EntryKind; 2] = [EntryKind::Parameter, EntryKind::Buffer];

    /// The name used in files: `parameter`, `buffer`, `optimizer`, `counter`.
    pub fn name(self) -> &'static str {
        match self {
            EntryKind::Parameter => "parameter",
            EntryKind::Buffer => "buffer",
            EntryKind::Optimizer => "optimizer",
            EntryKind::Counter => "counter",
        }
    }
}

/// One named value of a store.
#[derive(Clone, Debug)]
pub struct Entry {
    name: String,
    id: StateId,
    kind: EntryKind,
    value: Value,
}

impl Entry {
    /// The path: `layers.0.weight`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What [`State`](thalweg_graph::ops::State) nodes name it by.
    pub fn id(&self) -> StateId {
        self.id
    }

    /// What it is for.
    pub fn kind(&self) -> EntryKind {
        self.kind
    }

    /// The value.
    pub fn value(&self) -> &Value {
        &self.value
    }
}

/// The values of a network and of its training.
///
/// ```
/// use thalweg_graph::{Executor, Reference, Tensor};
/// use thalweg_nn::{Forward, Linear, Store};
/// let layer = Linear::new(3, 2);
/// let mut store = Store::new(42);
/// store.bind(&layer)?; // initialises what is not there yet
/// let y = layer.forward(&Tensor::new(&[1.0f32, 2.0, 3.0], [1, 3]));
/// let y = &Reference::new().run(&[y], &[], &[], &mut store)?[0];
/// assert_eq!(y.shape().dims(), [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Store {
    seed: u64,
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
    by_id: HashMap<StateId, usize>,
    aliases: Vec<(String, String)>,
}

/// What can go wrong between a module, a store and a file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Two parameters claim one name.
    #[error(
        "the name `{name}` is taken by another parameter. hint: give the two modules different names, \
         or bind them to different stores"
    )]
    NameTaken {
        /// The path.
        name: String,
    },
    /// A parameter whose description is itself wrong, such as one with too many elements.
    #[error("the parameter `{name}` cannot exist: {error}")]
    Poisoned {
        /// The path.
        name: String,
        /// What is wrong with it.
        error: thalweg_graph::Error,
    },
    /// A module that infers its sizes from the first input and has seen none.
    #[error(
        "{module} does not know its sizes yet. hint: call build(…) or run forward(…) once \
         before binding it to a store"
    )]
    Unbuilt {
        /// Its path and what it is: `head (Sequential)`.
        module: String,
    },
    /// Bytes that are not a safetensors file, or claim more than they hold.
    #[error(
        "not a valid safetensors file: {0}. hint: the file may be cut short or of another format"
    )]
    Format(String),
    /// A file of tensors that does not fit this store.
    #[error("the file does not fit this network: {0}")]
    Mismatch(LoadReport),
}

/// How the tensors of a file and the entries of a store agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Names the store has and the file lacks.
    pub missing: Vec<String>,
    /// Names the file has and the store lacks.
    pub unexpected: Vec<String>,
    /// Names both have, with another shape or an element type that does not convert.
    pub mis_shaped: Vec<MisShaped>,
    /// Pairs of a missing and an unexpected name that look alike.
    pub similar: Vec<(String, String)>,
}

/// A tensor that does not fit its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MisShaped {
    /// The name.
    pub name: String,
    /// Type and shape of the store's entry: `f32[10, 768]`.
    pub expected: String,
    /// Type and shape in the file.
    pub found: String,
}

impl LoadReport {
    /// True where every name was there and fitted.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.mis_shaped.is_empty()
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |names: &[String]| {
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        let mut parts = Vec::new();
        if !self.missing.is_empty() {
            parts.push(format!("missing {}", quoted(&self.missing)));
        }
        if !self.unexpected.is_empty() {
            parts.push(format!("unexpected {}", quoted(&self.unexpected)));
        }
        for MisShaped { name, expected, found } in &self.mis_shaped {
            parts.push(format!("`{name}` must be {expected}, got {found}"));
        }
        f.write_str(if parts.is_empty() { "every name fits" } else { "" })?;
        f.write_str(&parts.join("; "))?;
        for (place, (missing, unexpected)) in self.similar.iter().enumerate() {
            let lead = if place == 0 { ". hint: " } else { ", " };
            write!(f, "{lead}`{missing}` may be the file's `{unexpected}`")?;
        }
        Ok(())
    }
}

impl Store {
    /// An empty store; `seed` decides what [`Store::bind`] initialises parameters with.
    pub fn new(seed: u64) -> Store {
        Store {
            seed,
            entries: Vec::new(),
            by_name: HashMap::new(),
            by_id: HashMap::new(),
            aliases: Vec::new(),
        }
    }

    /// The seed of the initial values.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Gives every parameter and buffer of `module` a name and, where it has none yet, its initial value, drawn
    /// from the seed and a stream keyed by its path; tells every layer its path. A parameter reachable by two
    /// paths is one entry under the first, and the second is an alias. Binding again changes nothing.
    ///
    /// Nothing is added where one parameter is refused.
    pub fn bind(&mut self, module: &dyn Module) -> Result<(), StoreError> {
        let mut found_params = Vec::new();
        let mut unbuilt = None;
        walk(module, |path, found| match found {
            Found::Param(param) => found_params.push((path.to_owned(), param.clone())),
            Found::Unbuilt(layer) => {
                let module = match path {
                    "" => layer.kind().to_owned(),
                    _ => format!("{path} ({})", layer.kind()),
                };
                unbuilt.get_or_insert(StoreError::Unbuilt { module });
            }
            Found::Layer(_) => {}
        });
        if let Some(error) = unbuilt {
            return Err(error);
        }
        self.check(&found_params)?;
        for (path, param) in found_params {
            self.adopt(path, &param);
        }
        walk(module, |path, found| {
            // A network that is a single layer has the empty path; its kind says more than that.
            if let (Found::Layer(layer), false) = (found, path.is_empty()) {
                Layer::set_path(layer, path);
            }
        });
        Ok(())
    }

    fn check(&self, found: &[(String, Param)]) -> Result<(), StoreError> {
        let mut owners: HashMap<&str, StateId> = HashMap::new();
        for (name, param) in found {
            if let Some(error) = param.tensor().error() {
                return Err(StoreError::Poisoned { name: name.clone(), error: error.clone() });
            }
            let bound = self.id_of(name).or_else(|| owners.insert(name, param.id()));
            if bound.is_some_and(|id| id != param.id()) {
                return Err(StoreError::NameTaken { name: name.clone() });
            }
        }
        Ok(())
    }

    fn adopt(&mut self, path: String, param: &Param) {
        if let Some(&place) = self.by_id.get(&param.id()) {
            let name = &self.entries[place].name;
            let known = self.aliases.iter().any(|(alias, _)| *alias == path);
            if *name != path && !known {
                self.aliases.push((path, name.clone()));
            }
            return;
        }
        let stream = stream_of("init", &path, 0);
        let value = param.initial(self.seed, stream);
        let kind = match param.role() {
            Role::Parameter => EntryKind::Parameter,
            Role::Buffer => EntryKind::Buffer,
        };
        self.push(Entry { name: path, id: param.id(), kind, value });
    }

    fn push(&mut self, entry: Entry) {
        self.by_name.insert(entry.name.clone(), self.entries.len());
        self.by_id.insert(entry.id, self.entries.len());
        self.entries.push(entry);
    }

    /// Adds a value under `name`: an optimizer's moments, a counter. Where the name exists, its entry takes the
    /// new kind and value and keeps its id.
    pub fn insert(&mut self, name: &str, kind: EntryKind, value: Value) -> StateId {
        if let Some(&place) = self.by_name.get(name) {
            let entry = &mut self.entries[place];
            (entry.kind, entry.value) = (kind, value);
            return entry.id;
        }
        let id = StateId::fresh();
        self.push(Entry { name: name.to_owned(), id, kind, value });
        id
    }

    /// The id of the entry `name`, or of the entry that `name` is an alias of.
    pub fn id_of(&self, name: &str) -> Option<StateId> {
        self.place(name).map(|place| self.entries[place].id)
    }

    /// The name of an entry.
    pub fn name_of(&self, id: StateId) -> Option<&str> {
        self.by_id.get(&id).map(|&place| self.entries[place].name.as_str())
    }

    /// The value of the entry `name` (or of the entry that it is an alias of).
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.place(name).map(|place| &self.entries[place].value)
    }

    /// The value of the entry `name`, to be overwritten in place; its shape and type must stay.
    pub fn value_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.place(name).map(|place| &mut self.entries[place].value)
    }

    fn place(&self, name: &str) -> Option<usize> {
        let direct = self.by_name.get(name);
        direct.or_else(|| self.by_name.get(self.owner_of(name)?)).copied()
    }

    fn owner_of(&self, alias: &str) -> Option<&str> {
        let found = self.aliases.iter().find(|(name, _)| name == alias);
        found.map(|(_, owner)| owner.as_str())
    }

    /// All entries in the order they came.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Second paths of shared parameters, each with the name of its entry.
    pub fn aliases(&self) -> &[(String, String)] {
        &self.aliases
    }

    /// The trained parameters in the order they came.
    pub fn parameters(&self) -> impl Iterator<Item = &Entry> {
        self.entries().filter(|entry| entry.kind == EntryKind::Parameter)
    }

    /// The number of trained numbers: a shared parameter counts once.
    pub fn numel(&self) -> usize {
        self.parameters().map(|entry| entry.value.numel()).sum()
    }

    /// A copy with values of its own and the same names and ids: the same network reads from either.
    pub fn deep_clone(&self) -> Store {
        Store {
            seed: self.seed,
            entries: self.entries.clone(),
            by_name: self.by_name.clone(),
            by_id: self.by_id.clone(),
            aliases: self.aliases.clone(),
        }
    }
}

impl States for Store {
    fn get(&self, id: StateId) -> Option<&Value> {
        self.by_id.get(&id).map(|&place| &self.entries[place].value)
    }

    fn get_mut(&mut self, id: StateId) -> Option<&mut Value> {
        self.by_id.get(&id).map(|&place| &mut self.entries[place].value)
    }
}
