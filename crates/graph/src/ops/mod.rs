//! The primitive ops, one file per family: shape rule, gradient rule, reference kernel and the methods of
//! [`Tensor`](crate::Tensor) that make them.

pub mod attention;
pub mod binary;
pub mod compare;
pub mod conv;
pub mod cumsum;
pub mod index;
pub mod matmul;
pub mod movement;
pub mod pad;
pub mod pool;
pub mod random;
pub mod recurrent;
pub mod reduce;
pub mod resize;
pub mod slice;
pub mod sort;
pub mod source;
pub mod unary;
pub mod window;
pub mod window_at;

pub use attention::{Attention, AttentionGrad, AttentionSize};
pub use binary::Binary;
pub use compare::{Compare, Select};
pub use conv::{Conv, ConvInputGrad, ConvSpec, ConvWeightGrad};
pub use cumsum::Cumsum;
pub use index::{CheckRange, Gather, IndexAdd, IndexSelect, ScatterAdd};
pub use matmul::MatMul;
pub use movement::{Broadcast, Permute, Reshape};
pub use pad::{Concat, Pad};
pub use pool::{AvgPool, AvgPoolGrad, MaxPool, MaxPoolGrad, MaxPoolPick, PoolSpec};
pub use random::{Random, RandomKind};
pub use recurrent::{Cell, Recurrence, RecurrentOutput, RecurrentState, RecurrentWeights};
pub use recurrent::{Recurrent, RecurrentGrad};
pub use reduce::{Reduce, ReduceKind};
pub use slice::Slice;
pub use sort::Argsort;
pub use source::{Cast, Constant, Detach, Full, Input, Iota, Poison, State};
pub use unary::Unary;
pub use window::Window;
pub use window_at::{SliceAt, UpdateSliceAt};
