//! What networks are of: layers, activations, losses, initialisers, optimizers, schedules.
//!
//! Read in this order: [`module`], [`param`], [`store`], [`context`], one file of [`layers`], [`sequential`].

// The derive macro names this crate by its own name; inside it, that is this crate.
extern crate self as thalweg_nn;

pub mod activations;
pub mod augment;
pub mod context;
pub mod dag;
pub mod init;
pub mod layers;
pub mod losses;
pub mod module;
pub mod optim;
pub mod param;
pub mod presets;
pub mod schedule;
pub mod sequential;
pub mod spec;
pub mod store;

pub use activations::Activations;
pub use context::{Mode, Trace};
pub use dag::{Dag, Node, NodeSpec};
pub use init::Init;
pub use layers::*;
pub use losses::Loss;
pub use module::{Forward, Found, Module, Network, Visitor, parameters, states, walk};
pub use optim::{Optimizer, Updater};
pub use param::{Param, Role};
pub use schedule::Schedule;
pub use sequential::Sequential;
pub use spec::{LayerSpec, mlp};
pub use store::{Entry, EntryKind, LoadReport, MisShaped, Store, StoreError};
pub use thalweg_derive::{FacadeModule, Module};
