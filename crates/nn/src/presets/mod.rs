//! Networks by name: what `preset = "…"` in a config and `--preset` stand for. Each is a function from the [`Shapes`] of a
//! task to a list of nodes, so that what was chosen can be printed, saved and changed.

mod autoencoder;
mod nodes;
mod perceptrons;
mod sequence;
mod table;
mod vision;

use thalweg_graph::OpError;

use crate::dag::NodeSpec;
use crate::layers::Answer;
pub use table::reason;

/// What a network is for, as far as its sizes go.
#[derive(Clone, Copy, Debug)]
pub struct Shapes<'a> {
    /// The shape of a sample, without the batch axis: `[13]`, `[1, 28, 28]` (channels, height, width), `[128]` (ids).
    pub sample: &'a [usize],
    /// How many different ids a sample is made of; `None` where it is made of numbers.
    pub vocabulary: Option<usize>,
    /// How many numbers the network puts out: for each sample, or for each place of a sequence.
    pub outputs: usize,
    /// How many places of a sequence get outputs; `None` where the sample as a whole gets them.
    pub places: Option<usize>,
    /// What the sample is made of, where it is a row of a table.
    pub table: Option<TableShape<'a>>,
}

/// The parts of a row of a table, which lie in its sample behind each other in this order, all of them as `f32`.
#[derive(Clone, Copy, Debug)]
pub struct TableShape<'a> {
    /// The number columns, scaled; for each of them the quantiles of its training rows, ascending and different; fewer
    /// than two where it takes a few values only.
    pub numbers: &'a [Vec<f32>],
    /// For each category column how many ids there are; a sample holds the id.
    pub categories: &'a [usize],
    /// For each text column the number of tokens in a sample and of ids; a sample holds the ids, 0 for padding.
    pub texts: &'a [[usize; 2]],
    /// For each image column channels, height and width.
    pub images: &'a [[usize; 3]],
    /// For each column of recordings mel bands and frames.
    pub sounds: &'a [[usize; 2]],
    /// The number of training rows.
    pub rows: usize,
    /// What the outputs are.
    pub answer: Answer,
}

/// A network that has a name.
pub struct Preset {
    /// What it is called.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Its nodes for a task, or why it does not fit it.
    pub nodes: fn(&Shapes<'_>) -> Result<Vec<NodeSpec>, OpError>,
}

/// All presets.
pub fn presets() -> Vec<&'static Preset> {
    [perceptrons::PRESETS, table::PRESETS, vision::PRESETS, autoencoder::PRESETS, sequence::PRESETS]
        .into_iter()
        .flatten()
        .collect()
}

/// The preset of that name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    presets().into_iter().find(|preset| preset.name == name)
}
