//! The page: sections of blocks, and the template that makes HTML of them. Texts are texts: the template escapes
//! whatever it is given, but for the drawings made here.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use serde::Serialize;
use thalweg_train::run::RunError;

/// A page.
#[derive(Debug, Serialize)]
pub struct Page {
    /// What stands in the browser's title and above all: the name of the data.
    pub title: String,
    /// What was to be learned, above the title.
    pub kicker: String,
    /// What was learned, from what, and how good that is.
    pub lead: Vec<String>,
    /// Whether the network is better than all that needs no network; nothing where there is no such thing.
    pub beaten: Option<bool>,
    /// The figures that one wants to see first.
    pub tiles: Vec<Tile>,
    /// The rest, in the order in which readers ask.
    pub sections: Vec<Section>,
    /// Of thalweg.
    pub version: &'static str,
}

/// A figure in large digits.
#[derive(Debug, Serialize)]
pub struct Tile {
    /// What it is.
    pub label: String,
    /// The figure.
    pub value: String,
    /// What it compares with.
    pub note: String,
}

/// A heading with what belongs below it.
#[derive(Debug, Serialize)]
pub struct Section {
    /// What links to it are made of.
    pub id: &'static str,
    /// The heading.
    pub title: &'static str,
    /// What a reader who does not know the word needs to know.
    pub about: String,
    /// What is shown; a section without blocks is left out.
    pub blocks: Vec<Block>,
}

/// Something that is shown.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Block {
    /// A heading of less weight.
    Heading {
        /// The heading.
        text: String,
    },
    /// A paragraph.
    Prose {
        /// The text.
        text: String,
    },
    /// Plots side by side, where there is room.
    Figures {
        /// The plots.
        figures: Vec<Figure>,
    },
    /// A table.
    Table(Table),
    /// Counts of pairs, dark where they are many.
    Matrix {
        /// The names of rows and columns.
        names: Vec<String>,
        /// Whether the names of columns stand upright, since they are too long for their place.
        tall: bool,
        /// Each row.
        rows: Vec<Vec<Heat>>,
    },
    /// Horizontal bars.
    Bars {
        /// Each bar.
        bars: Vec<Bar>,
    },
    /// Outcomes of checks.
    Checks {
        /// Each check.
        checks: Vec<Outcome>,
    },
    /// Samples and what was said of them.
    Cards {
        /// Each sample.
        cards: Vec<Card>,
    },
    /// Pictures, each above what was made of it.
    Pairs {
        /// Each of them.
        pairs: Vec<Pair>,
    },
    /// A text with its own lines.
    Text {
        /// The text.
        text: String,
    },
    /// A drawing that is not a plot.
    Drawing {
        /// An `<svg>` element, made here.
        svg: String,
    },
    /// What is to be typed.
    Code {
        /// The lines.
        text: String,
    },
    /// What most readers need not see at once.
    Folded {
        /// What stands on the fold.
        title: String,
        /// The lines.
        text: String,
    },
}

/// A plot with its words.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// An `<svg>` element, made here.
    pub svg: String,
    /// What the upright axis shows.
    pub axis: String,
    /// The series with the number of their colours.
    pub legend: Vec<(usize, String)>,
    /// What to see.
    pub caption: String,
}

/// A table.
#[derive(Debug, Default, Serialize)]
pub struct Table {
    /// Headings of the columns.
    pub header: Vec<String>,
    /// Which columns hold numbers, which stand to the right.
    pub numbers: Vec<bool>,
    /// The cells.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table whose first column names the rows and whose other columns hold numbers.
    #[must_use]
    pub fn of_numbers(header: Vec<String>, rows: Vec<Vec<String>>) -> Table {
        Table { numbers: (0..header.len()).map(|i| i > 0).collect(), header, rows }
    }
}

/// A cell of a matrix.
#[derive(Debug, Serialize)]
pub struct Heat {
    /// What stands in it.
    pub text: String,
    /// From 0 to 1.
    pub share: f64,
    /// Whether it is on the diagonal, where all is well.
    pub right: bool,
}

/// A horizontal bar.
#[derive(Debug, Serialize)]
pub struct Bar {
    /// What it is of.
    pub label: String,
    /// Where the bar begins and how long it is, in percent of the width.
    pub bar: [f64; 2],
    /// The same of the line that shows how uncertain its end is.
    pub whisker: [f64; 2],
    /// The number.
    pub value: String,
}

/// The outcome of a check.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// `pass`, `warn` or `fail`.
    pub status: &'static str,
    /// What was looked at.
    pub name: String,
    /// What was seen.
    pub saw: String,
    /// What to do.
    pub action: String,
}

/// A sample and what was said of it.
#[derive(Debug, Serialize)]
pub struct Card {
    /// Which row it is.
    pub row: String,
    /// A PNG in base 64.
    pub image: Option<String>,
    /// The truth.
    pub truth: String,
    /// What was said.
    pub said: String,
    /// How sure the network was, or how far off.
    pub sure: String,
    /// Whether that is right.
    pub right: bool,
    /// Column and cell.
    pub cells: Vec<(String, String)>,
}

/// A picture and what was made of it, PNGs in base 64.
#[derive(Debug, Serialize)]
pub struct Pair {
    /// Which row it is.
    pub row: String,
    /// The picture.
    pub given: String,
    /// What was made of it.
    pub made: String,
}

impl Page {
    /// The page as HTML.
    ///
    /// # Errors
    /// [`RunError::Fit`] where the template does not take it.
    pub fn html(&self) -> Result<String, RunError> {
        let mut templates = Environment::new();
        templates.set_auto_escape_callback(|_| AutoEscape::Html);

        // A number and its sign stay on one line.
        templates.add_filter("nb", |text: &str| text.replace(" %", "\u{a0}%"));
        let made = templates
            .add_template("page", include_str!("page.html"))
            .and_then(|()| templates.add_template("blocks", include_str!("blocks.html")))
            .and_then(|()| templates.get_template("page"))
            .and_then(|template| {
                let style = include_str!("page.css");
                let page = Value::from(Serde(self));
                template.render(context! { page, style })
            });
        made.map_err(|error| RunError::Fit {
            what: format!("the page cannot be made: {error:#}"),
            hint: String::new(),
        })
    }
}
