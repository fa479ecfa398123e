//! Sequences of unequal length in one batch: which of their places count.
//!
//! Id 0 stands for nothing. The zeros behind a sequence's last other id are its padding, and layers that take the ids as
//! a second input give what they would give for the sequence without it.

use thalweg_graph::{DType, OpError, Tensor};

use crate::layers::origin;

/// The number of places of each sequence of ids `[N, L]` up to its last id that is not 0: `i64` `[N]`. A sequence of
/// nothing counts as one place, so that there is always something to look at.
///
/// ```
/// use thalweg_graph::{NoStates, Reference, Tensor};
/// use thalweg_nn::layers::sequence_lengths;
/// let ids = Tensor::new(&[5i64, 0, 7, 0, 0, 0, 0, 0], [2, 4]);
/// let y = Reference::new().evaluate(&[sequence_lengths(&ids)], &[], &NoStates)?;
/// assert_eq!(y[0].floats(), [3.0, 1.0]);
/// # Ok::<(), thalweg_graph::Error>(())
/// ```
#[track_caller]
pub fn sequence_lengths(ids: &Tensor) -> Tensor {
    if ids.error().is_some() {
        return ids.clone();
    }
    if ids.rank() != 2 || ids.dim(1) == 0 {
        let what = format!("expects ids [N, L] with L at least 1, got {}", ids.shape());
        return Tensor::poison("sequence_lengths", OpError::shape(what));
    }
    let number = Tensor::iota(DType::I64, ids.shape(), 1) + 1.0;
    let used = ids.not_equal(&ids.zeros_like()).cast(DType::I64);
    (number * used).max(&[1]).maximum(&Tensor::scalar(1.0, DType::I64))
}

/// True where a place lies within its sequence: `bool` `[N, L]` of lengths `[N]`.
#[track_caller]
pub fn length_mask(lengths: &Tensor, places: usize) -> Tensor {
    if lengths.error().is_some() {
        return lengths.clone();
    }
    Tensor::iota(DType::I64, [lengths.dim(0), places], 1).lt(&lengths.unsqueeze(-1))
}

/// The inputs of a node that takes a sequence `[N, L, …]` and, where there is padding, its ids `[N, L]`: the sequence and
/// its lengths.
pub(super) fn sequence_and_lengths(
    inputs: &[Tensor],
) -> Result<(&Tensor, Option<Tensor>), OpError> {
    match inputs {
        [x] => Ok((x, None)),
        [x, ids] if ids.dtype() != DType::I64 => {
            let what =
                format!("the ids must be i64, got {}{}{}", ids.dtype(), ids.shape(), origin(ids));
            Err(OpError::dtype(what).hint(format!(
                "the second input says where padding is; the first is {}",
                x.shape()
            )))
        }
        [x, ids] if ids.rank() != 2 || x.rank() < 2 || ids.shape()[..] != x.shape()[..2] => {
            let (sequence, got) = (x.shape(), ids.shape());
            let what = format!("the ids must be [N, L] of {sequence}, got {got}{}", origin(ids));
            Err(OpError::shape(what).hint("give the ids that the sequence was made of"))
        }
        [x, ids] => Ok((x, Some(sequence_lengths(ids)))),
        _ => {
            let what = format!("takes a sequence and perhaps its ids, got {} inputs", inputs.len());
            Err(OpError::argument(what).hint("inputs = [\"sequence\", \"ids\"]"))
        }
    }
}
