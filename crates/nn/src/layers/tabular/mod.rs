//! Layers for rows of tables: cutting a row into its columns, embeddings of numbers and categories, and layers whose
//! members each answer for themselves.

mod categories;
mod columns;
mod member_mean;
mod members;
mod numbers;

pub use categories::Categories;
pub use columns::Columns;
pub use member_mean::{Answer, MemberMean};
pub use members::MemberLinear;
pub use numbers::{Periodic, PiecewiseLinear};
