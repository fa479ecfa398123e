//! The tests of the page, in one binary.

mod page;
mod support;
mod xml;
