//! The network for tables: each kind of column enters in its own way, and all of them meet in one trunk.

use thalweg_graph::OpError;

use super::nodes::Nodes;
use super::{Preset, Shapes, TableShape};
use crate::dag::{INPUT, NodeSpec};
use crate::layers::Pool;
use crate::spec::{
    BatchNormOptions, CategoriesOptions, ColumnsOptions, ConvOptions, EmbeddingOptions, LayerSpec,
    MaxPoolOptions, MemberLinearOptions, PiecewiseLinearOptions,
};

pub(super) const PRESETS: &[Preset] = &[Preset {
    name: "table",
    about: "tables: embeddings of numbers and categories, a residual trunk, several members averaged",
    nodes: table,
}];

/// The sizes of the network, which follow from rows and columns.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Plan {
    /// The pieces of a number column's embedding, and its numbers.
    pieces: usize,
    dim: usize,
    width: usize,
    blocks: usize,
    members: usize,
    dropout: f64,
}

/// From so many rows on an epoch is long, and many rows teach what many members would.
const MANY: usize = 200_000;

/// How many numbers the embeddings of the number columns make at most, so that wide tables stay quick.
const EMBEDDED: usize = 1024;

impl Plan {
    fn of(table: &TableShape<'_>) -> Plan {
        let few = Plan { pieces: 8, dim: 8, width: 128, blocks: 2, members: 16, dropout: 0.2 };
        let plan = match table.rows {
            0..2_000 => few,
            2_000..10_000 => Plan { pieces: 16, dropout: 0.1, ..few },
            10_000..MANY => {
                Plan { pieces: 48, dim: 16, width: 192, members: 8, dropout: 0.1, ..few }
            }
            _ => Plan { pieces: 16, members: 1, dropout: 0.0, ..few },
        };
        Plan { dim: plan.dim.min(EMBEDDED / table.numbers.len().max(1)), ..plan }
    }

    /// A linear layer of all members.
    fn linear(self, out: usize, shared: bool, signs: bool) -> LayerSpec {
        let members = self.members;
        match members {
            1 => LayerSpec::Linear { out, bias: true },
            _ => LayerSpec::MemberLinear(MemberLinearOptions { members, out, shared, signs }),
        }
    }
}

/// Why the network for a table is of its sizes, in one sentence; `None` for what is no table.
///
/// ```
/// use thalweg_nn::{Answer, presets::{Shapes, TableShape, reason}};
/// let knots = vec![vec![-1.0, 0.0, 1.0]; 9];
/// let table = TableShape {
///     numbers: &knots, categories: &[], texts: &[], images: &[], sounds: &[], rows: 1309, answer: Answer::Classes,
/// };
/// let shapes = Shapes { sample: &[9], vocabulary: None, outputs: 2, places: None, table: Some(table) };
/// assert!(reason(&shapes).unwrap().starts_with("1,309 rows, 9 columns: 2 residual blocks of 128"));
/// ```
#[must_use]
pub fn reason(shapes: &Shapes<'_>) -> Option<String> {
    let table = shapes.table.as_ref()?;
    let Plan { width, blocks, members, dropout, .. } = Plan::of(table);
    let columns = table.numbers.len()
        + table.categories.len()
        + table.texts.len()
        + table.images.len()
        + table.sounds.len();
    let plural = |n: usize, word: &str| match n {
        1 => format!("1 {word}"),
        _ => format!("{} {word}s", grouped(n)),
    };
    let mut said = format!(
        "{}, {}: {} of {width}",
        plural(table.rows, "row"),
        plural(columns, "column"),
        plural(blocks, "residual block"),
    );
    match members {
        1 => said += ", one member, as so many rows need no averaging",
        _ => said += &format!(", {members} members averaged"),
    }
    if dropout > 0.0 {
        said += &format!(", dropout {dropout}");
    }
    Some(said)
}

/// `1,309`.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(String::from_utf8_lossy).collect::<Vec<_>>().join(",")
}

fn table(shapes: &Shapes<'_>) -> Result<Vec<NodeSpec>, OpError> {
    let Some(table) = &shapes.table else {
        return Err(OpError::argument(
            "it takes the rows of a table with columns of several kinds",
        )
        .hint("mlp takes numbers of any shape"));
    };
    let plan = Plan::of(table);
    let mut inputs = Inputs { nodes: Nodes::new(), names: vec![], start: 0 };
    inputs.numbers(table, plan);
    inputs.categories(table);
    for (place, &[tokens, ids]) in table.texts.iter().enumerate() {
        inputs.text(&name("text", place, table.texts.len()), tokens, ids);
    }
    for (place, &image) in table.images.iter().enumerate() {
        inputs.image(&name("image", place, table.images.len()), image);
    }
    for (place, &[mels, frames]) in table.sounds.iter().enumerate() {
        inputs.image(&name("sound", place, table.sounds.len()), [1, mels, frames]);
    }
    let Inputs { mut nodes, names, .. } = inputs;
    match &names[..] {
        [] => return Err(OpError::argument("the table has no columns beside the target")),
        [only] => {
            nodes.named("columns", LayerSpec::Flatten { start: 1 }).of(&[only]);
        }
        _ => {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            nodes.named("columns", LayerSpec::Concat { axis: -1 }).of(&names);
        }
    }
    trunk(&mut nodes, plan);
    nodes.named("answers", plan.linear(shapes.outputs, false, false));
    if plan.members > 1 {
        nodes.named("mean", LayerSpec::MemberMean { of: table.answer });
    }
    Ok(nodes.list())
}

/// `text`, or `text2` where there are several.
fn name(kind: &str, place: usize, of: usize) -> String {
    if of == 1 { kind.to_owned() } else { format!("{kind}{}", place + 1) }
}

/// A hidden layer, and blocks that add to it.
fn trunk(nodes: &mut Nodes, plan: Plan) {
    let Plan { width, dropout, .. } = plan;
    nodes.named("enter", plan.linear(width, true, true)).named("enter.relu", LayerSpec::Relu {});
    if dropout > 0.0 {
        nodes.named("enter.dropout", LayerSpec::Dropout { p: dropout });
    }
    for block in 0..plan.blocks {
        let part = |part: &str| format!("block{}.{part}", block + 1);
        let input = nodes.last();
        nodes.named(part("linear"), plan.linear(width, true, false));
        nodes.named(part("relu"), LayerSpec::Relu {});
        if dropout > 0.0 {
            nodes.named(part("dropout"), LayerSpec::Dropout { p: dropout });
        }
        let branch = nodes.last();
        nodes.named(part("add"), LayerSpec::Add {}).of(&[&input, &branch]);
    }
}

/// The columns' ways into the network: what ends in a row of numbers, by name.
struct Inputs {
    nodes: Nodes,
    names: Vec<String>,
    /// Where the next columns lie in the sample.
    start: usize,
}

impl Inputs {
    /// Cuts the next columns out, under a name.
    fn cut(&mut self, name: &str, len: usize, ids: bool, shape: Option<Vec<usize>>) {
        let cut = ColumnsOptions { start: self.start, len, ids, shape };
        self.nodes.named(name, LayerSpec::Columns(cut)).of(&[INPUT]);
        self.start += len;
    }

    fn enter(&mut self) {
        self.names.push(self.nodes.last());
    }

    fn numbers(&mut self, table: &TableShape<'_>, plan: Plan) {
        if table.numbers.is_empty() {
            return;
        }
        self.cut("numbers", table.numbers.len(), false, None);
        let knots: Vec<Vec<f32>> =
            table.numbers.iter().map(|knots| thinned(knots, plan.pieces)).collect();
        if plan.dim > 0 && knots.iter().any(|knots| !knots.is_empty()) {
            let options = PiecewiseLinearOptions { knots, dim: plan.dim, relu: false };
            self.nodes.named("numbers.embedding", LayerSpec::PiecewiseLinear(options));
        }
        self.enter();
    }

    fn categories(&mut self, table: &TableShape<'_>) {
        if table.categories.is_empty() {
            return;
        }
        self.cut("categories", table.categories.len(), true, None);
        let dims = table.categories.iter().map(|&size| vector_length(size)).collect();
        let options = CategoriesOptions { sizes: table.categories.to_vec(), dims };
        self.nodes.named("categories.embedding", LayerSpec::Categories(options));
        self.enter();
    }

    /// Words in no order: what a short text of a table says is mostly which words it has.
    fn text(&mut self, name: &str, tokens: usize, ids: usize) {
        self.cut(name, tokens, true, None);
        let part = |part: &str| format!("{name}.{part}");
        let embedding =
            EmbeddingOptions { padding_idx: Some(0), std: 0.1, ..EmbeddingOptions::new(ids, 32) };
        self.nodes.named(part("embedding"), LayerSpec::Embedding(embedding));
        let words = self.nodes.last();
        self.nodes.named(part("mean"), LayerSpec::PoolTime { how: Pool::Mean }).of(&[&words, name]);
        self.enter();
    }

    fn image(&mut self, name: &str, [channels, height, width]: [usize; 3]) {
        self.cut(name, channels * height * width, false, Some(vec![channels, height, width]));
        let mut extents = [height, width];
        for (stage, out) in [16, 32, 64].into_iter().enumerate() {
            let part = |part: &str| format!("{name}.{part}{}", stage + 1);
            let conv = ConvOptions { padding: 1.into(), bias: false, ..ConvOptions::new(out, 3) };
            self.nodes.named(part("conv"), LayerSpec::Conv2d(conv));
            self.nodes.named(part("norm"), LayerSpec::BatchNorm2d(BatchNormOptions::default()));
            self.nodes.named(part("relu"), LayerSpec::Relu {});
            let kernel = extents.map(|extent| extent.clamp(1, 2));
            extents = [extents[0] / kernel[0], extents[1] / kernel[1]];
            let pool = MaxPoolOptions::new(kernel.to_vec());
            self.nodes.named(part("pool"), LayerSpec::MaxPool2d(pool));
        }
        self.nodes.named(format!("{name}.mean"), LayerSpec::GlobalAvgPool {});
        self.enter();
    }
}

/// At most `pieces` + 1 of the knots, the first and the last among them; none of two or fewer, between which nothing
/// bends.
fn thinned(knots: &[f32], pieces: usize) -> Vec<f32> {
    match knots.len().checked_sub(1) {
        None | Some(0 | 1) => vec![],
        Some(last) if last <= pieces => knots.to_vec(),
        Some(last) => (0..=pieces).map(|i| knots[i * last / pieces]).collect(),
    }
}

/// The length of the vectors of a category column: 0, one-hot, for few ids, else fast.ai's min(32, 1.6·n^0.56).
fn vector_length(size: usize) -> usize {
    match size {
        0..=16 => 0,
        _ => ((1.6 * libm::pow(size as f64, 0.56)).round() as usize).min(32),
    }
}
