//! Who made a node: the layer whose `forward` was running.
//!
//! A layer carries an `Arc<Layer>` from its construction on; its path (`head.fc1`) becomes known when the
//! module is bound to a store, and is looked up only when a message is printed.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::{Arc, OnceLock};

/// A layer as error messages, `inspect` and health findings name it.
#[derive(Debug)]
pub struct Layer {
    kind: String,
    path: OnceLock<String>,
    site: &'static Location<'static>,
}

impl Layer {
    /// A layer described by `kind` (`Linear 768 → 10`), constructed at the caller's line.
    #[track_caller]
    pub fn new(kind: impl Into<String>) -> Arc<Layer> {
        Arc::new(Layer { kind: kind.into(), path: OnceLock::new(), site: Location::caller() })
    }

    /// What it is: `Linear 768 → 10`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Where it sits in its network (`head.fc1`), once it has been bound.
    pub fn path(&self) -> Option<&str> {
        self.path.get().map(String::as_str)
    }

    /// Records the path; the first one stays (a shared layer is named by its first place).
    pub fn set_path(&self, path: &str) {
        let _ = self.path.set(path.to_owned());
    }

    /// The line that constructed it.
    pub fn site(&self) -> &'static Location<'static> {
        self.site
    }

    /// Makes this layer the one that makes nodes, until the guard is dropped.
    #[must_use = "the layer is left when the guard is dropped"]
    pub fn enter(self: &Arc<Layer>) -> Entered {
        CURRENT.with_borrow_mut(|stack| stack.push(self.clone()));
        Entered { _here: PhantomData }
    }

    /// Runs `f` with this layer as the one that makes nodes.
    pub fn scope<R>(self: &Arc<Layer>, f: impl FnOnce() -> R) -> R {
        let _entered = self.enter();
        f()
    }

    /// The innermost layer that has been [entered](Layer::enter) on this thread.
    pub fn current() -> Option<Arc<Layer>> {
        CURRENT.with_borrow(|stack| stack.last().cloned())
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path() {
            Some(path) => write!(f, "{path} ({})", self.kind),
            None => write!(f, "{} (made at {}:{})", self.kind, self.site.file(), self.site.line()),
        }
    }
}

/// The current layer of this thread, until dropped; made by [`Layer::enter`].
pub struct Entered {
    // It must be dropped on the thread that made it.
    _here: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|stack| stack.pop());
    }
}

thread_local! {
    static CURRENT: RefCell<Vec<Arc<Layer>>> = const { RefCell::new(Vec::new()) };
}
