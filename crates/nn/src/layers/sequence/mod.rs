//! Layers over sequences: recurrence, attention, positions, pooling over time, and the small networks that are made of
//! them as one layer.

mod attention;
mod forecaster;
mod padding;
mod pool_time;
mod positions;
mod recurrent;
mod seq2seq;
mod transformer;
mod transpose;
mod two_tower;

pub use attention::MultiheadAttention;
pub use forecaster::Forecaster;
pub use padding::{length_mask, sequence_lengths};
pub use pool_time::{Pool, PoolTime};
pub use positions::{LearnedPositions, SinusoidalPositions, rotary_positions};
pub use recurrent::{Carry, Gru, Lstm, Rnn};
pub use seq2seq::{Seq2Seq, Seq2SeqSize};
pub use transformer::{TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer};
pub use transpose::Transpose;
pub use two_tower::TwoTower;
