//! The trace context: what a forward pass needs to know of the step it is traced for, and what it leaves behind.
//!
//! `forward` stays a pure function of its input. Whether it trains, where its randomness comes from and which
//! running statistics it updates belong to the *trace*: a thread-local frame that whoever compiles a step enters
//! with [`trace`]. Outside any trace the mode is [`Mode::Eval`].

mod step;

use std::cell::RefCell;
use std::collections::HashMap;

use thalweg_graph::{DType, Layer, OpError, StateId, Tensor};

pub use step::{Place, Step, cache, is_step, place, trace_step, whole_sequence};

use crate::param::Param;

/// How layers behave that differ between learning and use: dropout, batch norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Learning: dropout drops, batch norm normalises by the batch and updates its running statistics.
    Train,
    /// Use: no randomness, running statistics are read and kept.
    #[default]
    Eval,
}

/// What a traced function returned, and what it wrote.
#[derive(Clone, Debug)]
pub struct Trace<R> {
    /// The function's result.
    pub result: R,
    /// The values that states take after the step, each state once, in the order of the first writes.
    pub writes: Vec<(StateId, Tensor)>,
    /// Scalars that layers add to what training makes small: see [`penalty`].
    pub penalties: Vec<Tensor>,
}

struct Frame {
    mode: Mode,
    key: Tensor,
    writes: Vec<(StateId, Tensor)>,
    penalties: Vec<Tensor>,
    calls: HashMap<String, u64>,
    /// Where the step is in its sequence, where it goes through one place by place.
    progress: Option<step::Progress>,
}

impl Frame {
    fn new(mode: Mode, key: &Tensor) -> Frame {
        Frame {
            mode,
            key: key.clone(),
            writes: Vec::new(),
            penalties: Vec::new(),
            calls: HashMap::new(),
            progress: None,
        }
    }
}

thread_local! {
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

fn in_frame<R>(f: impl FnOnce(&mut Frame) -> R) -> Option<R> {
    FRAMES.with_borrow_mut(|frames| frames.last_mut().map(f))
}

/// Runs `f` as the description of one step. `key` is the `i64` tensor `[seed, step]` that the step's randomness
/// is drawn from: an input in a compiled step, so that one plan serves every step.
///
/// Bind the network to its store first: random streams are keyed by the layers' paths. Traces nest; the inner
/// one keeps its own writes.
///
/// ```
/// use thalweg_graph::Tensor;
/// use thalweg_nn::{Dropout, Forward, Mode, context};
/// let (x, key) = (Tensor::new(&[1.0f32; 6], [2, 3]), Tensor::new(&[7i64, 0], [2]));
/// let step = context::trace(Mode::Train, &key, || Dropout::new(0.5).forward(&x));
/// assert_ne!(step.result.id(), x.id()); // drops
/// assert_eq!(Dropout::new(0.5).forward(&x).id(), x.id()); // outside a trace: the identity
/// ```
pub fn trace<R>(mode: Mode, key: &Tensor, f: impl FnOnce() -> R) -> Trace<R> {
    let (result, frame) = framed(Frame::new(mode, key), f);
    let (writes, penalties) =
        frame.map(|frame| (frame.writes, frame.penalties)).unwrap_or_default();
    Trace { result, writes, penalties }
}

/// Runs `f` in `frame`, and gives what it left there.
fn framed<R>(frame: Frame, f: impl FnOnce() -> R) -> (R, Option<Frame>) {
    /// Removes the frame, also when `f` panics, and with it the frames above that a panic left.
    struct Leave(usize);
    impl Drop for Leave {
        fn drop(&mut self) {
            FRAMES.with_borrow_mut(|frames| frames.truncate(self.0));
        }
    }
    let _leave = FRAMES.with_borrow_mut(|frames| {
        frames.push(frame);
        Leave(frames.len() - 1)
    });
    let result = f();
    (result, FRAMES.with_borrow_mut(Vec::pop))
}

/// True while a step is being described on this thread.
pub fn is_tracing() -> bool {
    in_frame(|_| ()).is_some()
}

/// How layers are to behave now.
pub fn mode() -> Mode {
    in_frame(|frame| frame.mode).unwrap_or_default()
}

/// The value of `param` at this place of the trace: the latest write, or else the store's value from before
/// the step.
pub fn read(param: &Param) -> Tensor {
    let pending = in_frame(|frame| {
        let write = frame.writes.iter().find(|(id, _)| *id == param.id());
        write.map(|(_, value)| value.clone())
    });
    pending.flatten().unwrap_or_else(|| param.tensor())
}

/// Lets `param` take `value` after the step, which must have its shape and type. Several writes chain in call
/// order, since each reads its predecessor with [`read`]. Outside a trace nothing happens.
#[track_caller]
pub fn write(param: &Param, value: Tensor) {
    let fits = value.shape() == param.shape() && value.dtype() == param.dtype();
    let value = if fits || value.error().is_some() {
        value
    } else {
        let (want, got) = ((param.dtype(), param.shape()), (value.dtype(), value.shape()));
        let what = format!("a write must be {}{}, got {}{}", want.0, want.1, got.0, got.1);
        Tensor::poison("write", OpError::shape(what))
    };
    in_frame(|frame| match frame.writes.iter_mut().find(|(id, _)| *id == param.id()) {
        Some((_, slot)) => *slot = value,
        None => frame.writes.push((param.id(), value)),
    });
}

/// Adds the scalar `term` to what the step makes small beside its loss: the divergence of a variational autoencoder, the
/// weight decay of one layer. The same tensor counts once. Outside a training trace nothing happens.
pub fn penalty(term: &Tensor) {
    in_frame(|frame| {
        let known = frame.penalties.iter().any(|known| known.id() == term.id());
        if frame.mode == Mode::Train && !known {
            frame.penalties.push(term.clone());
        }
    });
}

/// The trace's key and a random stream of its own for this call: keyed by the layer that is running (its path,
/// or its kind before it is bound) and how often that layer has asked in this trace. `None` outside a trace.
pub fn random_stream() -> Option<(Tensor, u64)> {
    let name = Layer::current()
        .map(|layer| layer.path().unwrap_or_else(|| layer.kind()).to_owned())
        .unwrap_or_default();
    in_frame(|frame| {
        let calls = frame.calls.entry(name.clone()).or_default();
        let stream = stream_of("layer", &name, *calls);
        *calls += 1;
        (frame.key.clone(), stream)
    })
}

/// A key from a seed and a step known now: what tests and one-off evaluations give to [`trace`].
pub fn fixed_key(seed: u64, step: u64) -> Tensor {
    Tensor::new(&[seed as i64, step as i64], [2])
}

/// The placeholder of a compiled step's key, to be fed `[seed, step]` anew for each run.
pub fn key_input() -> Tensor {
    Tensor::input("random key", DType::I64, [2])
}

/// The random stream called (`domain`, `name`, `n`): FNV-1a over its parts, then mixed (SplitMix64's finaliser)
/// so that near names are far apart. The same on every machine and in every version that reads old runs.
pub(crate) fn stream_of(domain: &str, name: &str, n: u64) -> u64 {
    let parts = [domain.as_bytes(), &[0], name.as_bytes(), &[0], &n.to_le_bytes()];
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in parts.into_iter().flatten() {
        hash = (hash ^ *byte as u64).wrapping_mul(0x100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
