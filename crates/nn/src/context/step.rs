//! Going through a sequence place by place, each step carrying on where the last one stopped: how text is generated.
//!
//! Layers that look back keep what they need between steps in *caches*: attention the keys and values of all places so
//! far, recurrent layers their state. A cache is an entry of a store like any other, read and written by the step; whoever
//! runs the steps provides it, all zeros before the first.

use thalweg_graph::{DType, OpError, Shape, StateId, Tensor};

use super::{Frame, Mode, fixed_key, framed, in_frame};
use crate::init::Init;
use crate::param::Param;

/// Which place of its sequence a step computes.
#[derive(Clone, Debug)]
pub struct Place {
    /// The number of the place, an `i64` scalar that is known when the step runs.
    pub position: Tensor,
    /// How many places a sequence may have.
    pub capacity: usize,
}

/// What a traced step returned, wrote and keeps.
#[derive(Clone, Debug)]
pub struct Step<R> {
    /// The function's result.
    pub result: R,
    /// The values that states take after the step; those of caches are among them.
    pub writes: Vec<(StateId, Tensor)>,
    /// What the layers keep from step to step, in the order in which they asked for it.
    pub caches: Vec<Param>,
    /// Whether a layer can go no further than the capacity. Recurrent layers can.
    pub bounded: bool,
}

/// Where a frame is in its sequence.
pub(super) struct Progress {
    place: Place,
    caches: Vec<Param>,
    bounded: bool,
}

/// Runs `f` as the description of one step through a sequence, in use: on inputs that have the one place `position` of at
/// most `capacity`. Before the first step the [caches](Step::caches) are zeros.
///
/// The steps give what a pass over the whole sequence gives, as far as every layer looks back only; a layer that looks
/// ahead (attention that is not causal, a bidirectional recurrent layer, pooling over time) is an error.
///
/// ```
/// use thalweg_graph::{DType, Tensor};
/// use thalweg_nn::{Forward, Gru, context};
/// let net = Gru::new(4, 8);
/// let position = Tensor::input("position", DType::I64, []);
/// let x = Tensor::zeros(DType::F32, [1, 1, 4]);
/// let step = context::trace_step(&position, 64, || net.forward(&x));
/// assert_eq!(step.result.shape().dims(), [1, 1, 8]);
/// assert_eq!(step.caches[0].shape().dims(), [1, 8]); // the state, which the step reads and writes
/// ```
pub fn trace_step<R>(position: &Tensor, capacity: usize, f: impl FnOnce() -> R) -> Step<R> {
    let place = Place { position: position.clone(), capacity };
    let mut frame = Frame::new(Mode::Eval, &fixed_key(0, 0));
    frame.progress = Some(Progress { place, caches: Vec::new(), bounded: false });
    let (result, frame) = framed(frame, f);
    let (writes, progress) = frame.map(|frame| (frame.writes, frame.progress)).unwrap_or_default();
    let (caches, bounded) = progress.map(|p| (p.caches, p.bounded)).unwrap_or_default();
    Step { result, writes, caches, bounded }
}

/// Runs `f` on the progress of the innermost trace, where that goes step by step.
fn in_progress<R>(f: impl FnOnce(&mut Progress) -> R) -> Option<R> {
    in_frame(|frame| frame.progress.as_mut().map(f)).flatten()
}

/// True in a trace that goes through a sequence step by step.
pub fn is_step() -> bool {
    in_progress(|_| ()).is_some()
}

/// The place that the step computes, for a layer to which the place matters; `None` outside a step. Asking bounds the
/// sequence by its capacity.
pub fn place() -> Option<Place> {
    in_progress(|progress| {
        progress.bounded = true;
        progress.place.clone()
    })
}

/// A new cache of floats and its value before the step; `None` outside a step. `name` is what messages call it. It takes
/// the value that [`write`](super::write) gives it.
pub fn cache(name: &str, shape: impl Into<Shape>) -> Option<(Param, Tensor)> {
    let shape = shape.into();
    in_progress(|progress| {
        let cache = Param::buffer(name, DType::F32, shape, Init::Zeros);
        progress.caches.push(cache.clone());
        let before = cache.tensor();
        (cache, before)
    })
}

/// Refuses to run in a step: for layers whose result at a place depends on later ones, which are not there yet.
///
/// # Errors
/// In a step, that `what` looks ahead.
pub fn whole_sequence(what: &str) -> Result<(), OpError> {
    match is_step() {
        false => Ok(()),
        true => Err(OpError::argument(format!("{what} looks ahead: it needs the whole sequence"))
            .hint("only networks that look back alone can go step by step")),
    }
}
