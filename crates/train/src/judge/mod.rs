//! How a network is judged beyond its plain figures: how well its scores rank ([`curves`]), how far its probabilities
//! can be believed ([`calibration`]), from which probability on the second of two classes is said ([`threshold`]), sets
//! and intervals that hold the truth ([`conformal`]), and what a linear model does with the same rows ([`linear`]).
//!
//! All of it is plain arithmetic in `f64` over answers that are in memory, the same bits on any number of threads.

pub mod calibration;
pub mod conformal;
pub mod curves;
mod lbfgs;
pub mod linear;
pub mod threshold;
