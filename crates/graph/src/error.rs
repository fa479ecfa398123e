//! Errors as values: what is wrong, where, and what to do about it.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::layer::Layer;

/// What sort of mistake an [`Error`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Extents that do not fit together.
    Shape,
    /// An element type that an op does not take, or two that differ.
    DType,
    /// An argument out of its range: an axis, a step, a size.
    Argument,
    /// A value met while running: an index outside its range, a label outside the classes.
    Value,
    /// A gradient that does not exist: an op without a rule, a loss that is not a scalar.
    Gradient,
    /// An input or a state that has no value.
    Missing,
    /// A broken invariant of thalweg itself, found by a verifier.
    Internal,
}

/// What an op's own rules say is wrong, before it is known where: see [`Error`].
#[derive(Clone, Debug)]
pub struct OpError {
    /// The sort of mistake.
    pub kind: ErrorKind,
    /// What was expected and what was got.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl OpError {
    /// An error of `kind` that says `what`.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        OpError { kind, what: what.into(), hint: None }
    }

    /// [`ErrorKind::Shape`].
    pub fn shape(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Shape, what)
    }

    /// [`ErrorKind::DType`].
    pub fn dtype(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::DType, what)
    }

    /// [`ErrorKind::Argument`].
    pub fn argument(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Argument, what)
    }

    /// [`ErrorKind::Value`].
    pub fn value(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Value, what)
    }

    /// [`ErrorKind::Gradient`].
    pub fn gradient(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Gradient, what)
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// An error with its place: the op, the layer with its path, and the line of the user's program.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    error: OpError,
    op: String,
    site: Option<&'static Location<'static>>,
    layer: Option<Arc<Layer>>,
}

impl Error {
    /// An error in `op`, at the place that is known.
    pub fn new(
        error: OpError,
        op: impl Into<String>,
        site: Option<&'static Location<'static>>,
        layer: Option<Arc<Layer>>,
    ) -> Self {
        Error(Arc::new(Inner { error, op: op.into(), site, layer }))
    }

    /// The sort of mistake.
    pub fn kind(&self) -> ErrorKind {
        self.0.error.kind
    }

    /// What was expected and what was got, without the place.
    pub fn what(&self) -> &str {
        &self.0.error.what
    }

    /// What to do about it, where something can be said.
    pub fn hint(&self) -> Option<&str> {
        self.0.error.hint.as_deref()
    }

    /// The op (or operation) that found it.
    pub fn op(&self) -> &str {
        &self.0.op
    }

    /// The layer in whose `forward` it happened.
    pub fn layer(&self) -> Option<&Layer> {
        self.0.layer.as_deref()
    }

    /// The line of the user's program.
    pub fn site(&self) -> Option<&'static Location<'static>> {
        self.0.site
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { error, op, site, layer } = &*self.0;
        match layer {
            Some(layer) => write!(f, "{layer}: ")?,
            None => write!(f, "{op}: ")?,
        }
        f.write_str(&error.what)?;
        if layer.is_some() {
            write!(f, ", in {op}")?;
        }
        if let Some(site) = site {
            write!(f, ", at {}:{}", site.file(), site.line())?;
        }
        match &error.hint {
            Some(hint) => write!(f, ". hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}: {self})", self.kind())
    }
}

impl std::error::Error for Error {}
