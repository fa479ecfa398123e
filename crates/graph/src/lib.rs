//! What is computed: tensors as nodes of an immutable graph, the ops, their gradients, and the reference
//! executor that says what each of them means.
//!
//! Read in this order: [`tensor`], one file of [`ops`], [`grad`](mod@grad), [`reference`](mod@reference).

pub mod composite;
pub mod dtype;
pub mod error;
pub mod executor;
pub mod grad;
pub mod gradcheck;
pub mod layer;
pub mod layout;
pub mod op;
pub mod ops;
pub mod print;
pub mod random;
pub mod reference;
pub mod shape;
pub mod table;
pub mod tensor;
pub mod value;
pub mod verify;

pub use dtype::{DType, Element};
pub use error::{Error, ErrorKind, OpError};
pub use executor::{Executor, Feed, NoStates, StateId, States};
pub use grad::{grad, grad_or_none};
pub use gradcheck::gradcheck;
pub use layer::Layer;
pub use layout::Layout;
pub use op::{Class, Map, Op};
pub use reference::{Data, RefValue, Reference};
pub use shape::Shape;
pub use tensor::{Tensor, reachable};
pub use value::Value;
pub use verify::verify;
