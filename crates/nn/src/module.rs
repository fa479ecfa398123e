//! Modules: things that hold parameters under names, and the walk that finds them.
//!
//! A module says in one method what it holds; everything else (binding to a store, counting, freezing by path)
//! is a walk. Paths are PyTorch's: `layers.0.weight`.

use std::collections::{BTreeMap, HashSet};
use std::marker::PhantomData;
use std::sync::Arc;

use thalweg_graph::{Layer, Tensor};

use crate::param::{Param, Role};

/// Something that holds parameters. `#[derive(Module)]` visits every field under its name.
///
/// ```
/// use thalweg_nn::{Forward, Linear, Module, parameters};
/// use thalweg_graph::Tensor;
///
/// #[derive(Module)]
/// struct Net {
///     hidden: Linear,
///     output: Linear,
/// }
///
/// impl Forward for Net {
///     fn forward(&self, x: &Tensor) -> Tensor {
///         self.output.forward(&self.hidden.forward(x).relu())
///     }
/// }
///
/// let net = Net { hidden: Linear::new(4, 8), output: Linear::new(8, 3) };
/// let names: Vec<String> = parameters(&net).into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["hidden.weight", "hidden.bias", "output.weight", "output.bias"]);
/// ```
pub trait Module {
    /// Names the parameters and sub-modules, always in the same order.
    fn visit(&self, visitor: &mut Visitor<'_>);
}

/// Something that makes one tensor of another.
pub trait Forward {
    /// The output for the input `x`: a description, as every tensor is; the parameters enter as reads of the
    /// store. A wrong input gives a poisoned tensor that names the layer.
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor;
}

/// A network, or a part of one: parameters and a forward pass. Implemented for everything that has both.
pub trait Network: Module + Forward + Send + Sync {}

impl<T: Module + Forward + Send + Sync> Network for T {}

/// What a walk comes across.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// A parameter or buffer; the path is its name.
    Param(&'a Param),
    /// A layer; the path is where it sits.
    Layer(&'a Layer),
    /// A module that does not yet know its parameters, because it has seen no input.
    Unbuilt(&'a Layer),
}

/// Walks modules and keeps the dotted path of where it is.
pub struct Visitor<'a> {
    path: String,
    found: &'a mut dyn FnMut(&str, Found<'_>),
}

impl<'a> Visitor<'a> {
    /// A visitor that reports to `found`, starting at the empty path.
    pub fn new(found: &'a mut dyn FnMut(&str, Found<'_>)) -> Visitor<'a> {
        Visitor { path: String::new(), found }
    }

    /// The path of the module being visited: `head.fc1`, empty for the outermost.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Visits a part under `name`.
    pub fn module(&mut self, name: &str, module: &dyn Module) {
        let outer = self.path.len();
        if outer > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        module.visit(self);
        self.path.truncate(outer);
    }

    /// Visits a parameter or buffer under `name`.
    pub fn param(&mut self, name: &str, param: &Param) {
        self.module(name, param);
    }

    /// Announces that the module being visited is `layer`, so that messages can say its path.
    pub fn layer(&mut self, layer: &Layer) {
        (self.found)(&self.path, Found::Layer(layer));
    }

    /// Announces that the module being visited has yet to learn its parameters from a first input.
    pub fn unbuilt(&mut self, layer: &Layer) {
        (self.found)(&self.path, Found::Unbuilt(layer));
    }
}

/// Calls `found` with the path of everything in `module`, in order; a shared parameter once per place.
pub fn walk(module: &dyn Module, mut found: impl FnMut(&str, Found<'_>)) {
    module.visit(&mut Visitor::new(&mut found));
}

/// The trained parameters of `module` with their paths, in order. A parameter that is reachable by several
/// paths is listed once, under the first.
pub fn parameters(module: &dyn Module) -> Vec<(String, Param)> {
    let mut states = states(module);
    states.retain(|(_, param)| param.role() == Role::Parameter);
    states
}

/// The parameters and buffers of `module` with their paths, in order; each once, under its first path.
pub fn states(module: &dyn Module) -> Vec<(String, Param)> {
    let mut seen = HashSet::new();
    let mut states = Vec::new();
    walk(module, |path, found| {
        if let Found::Param(param) = found
            && seen.insert(param.id())
        {
            states.push((path.to_owned(), param.clone()));
        }
    });
    states
}

impl Module for Param {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        (visitor.found)(&visitor.path, Found::Param(self));
    }
}

impl Module for Layer {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(self);
    }
}

macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<M: Module + ?Sized> Module for $pointer {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                (**self).visit(visitor);
            }
        }
    )*};
}

pointers!(&M, Box<M>, Arc<M>);

impl<F: Forward + ?Sized> Forward for Box<F> {
    fn forward(&self, x: &Tensor) -> Tensor {
        (**self).forward(x)
    }
}

impl<F: Forward + ?Sized> Forward for Arc<F> {
    fn forward(&self, x: &Tensor) -> Tensor {
        (**self).forward(x)
    }
}

impl<M: Module> Module for Option<M> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        if let Some(module) = self {
            module.visit(visitor);
        }
    }
}

impl<M: Module> Module for [M] {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        for (place, module) in self.iter().enumerate() {
            visitor.module(&place.to_string(), module);
        }
    }
}

impl<M: Module, const N: usize> Module for [M; N] {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.as_slice().visit(visitor);
    }
}

impl<M: Module> Module for Vec<M> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.as_slice().visit(visitor);
    }
}

impl<M: Module> Module for BTreeMap<String, M> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        for (name, module) in self {
            visitor.module(name, module);
        }
    }
}

macro_rules! tuples {
    ($(($($name:ident $place:tt),+);)*) => {$(
        impl<$($name: Module),+> Module for ($($name,)+) {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                $(visitor.module(stringify!($place), &self.$place);)+
            }
        }
    )*};
}

tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Module for $type {
            fn visit(&self, _: &mut Visitor<'_>) {}
        }
    )*};
}

plain!((), f32, f64, u8, u32, u64, usize, i32, i64, isize, bool, String, str);

impl<T> Module for PhantomData<T> {
    fn visit(&self, _: &mut Visitor<'_>) {}
}
