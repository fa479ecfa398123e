//! Every case of the op table, compiled and run.

use thalweg_graph::grad_or_none;
