//! Running the binary in a folder of its own, and small IDX sets to run it on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A folder to work in.
pub struct Place(TempDir);

/// What a command did.
pub struct Done {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Place {
        Place(TempDir::new().expect("a temporary folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thalweg"));
        command.current_dir(self.0.path()).args(arguments);
        command
    }

    pub fn thalweg(&self, arguments: &[&str]) -> Done {
        self.command(arguments).output().expect("the binary runs").into()
    }

    /// Runs a command that must succeed.
    pub fn ok(&self, arguments: &[&str]) -> Done {
        let done = self.thalweg(arguments);
        assert_eq!(done.code, Some(0), "{arguments:?}: {}", done.err);
        done
    }

    /// Trains on the digits for an epoch and gives the last line of `--json`.
    pub fn train(&self, arguments: &[&str]) -> Value {
        let quick = ["train", "--epochs", "1", "--json", "--quiet"];
        last(&self.ok(&[&quick, arguments].concat()).out)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).expect("JSON")
    }

    pub fn list(&self, name: &str) -> Vec<String> {
        list(&self.path(name))
    }

    /// A tiny IDX set of images of `side` × `side`, 3 classes, in the folder `name`.
    pub fn idx(&self, name: &str, side: u8) {
        let folder = self.path(name);
        fs::create_dir_all(&folder).expect("a folder");
        for (part, rows) in [("train", 60u8), ("t10k", 12)] {
            let area = usize::from(side) * usize::from(side);
            let labels: Vec<u8> = (0..rows).map(|row| row % 3).collect();
            // Each class lights its own third of the pixels, more or less.
            let pixel = |row: u8, i: usize| {
                let lit = i * 3 / area == usize::from(row % 3);
                if lit { 200 + row % 50 } else { row % 40 }
            };
            let pixels: Vec<u8> =
                (0..rows).flat_map(|row| (0..area).map(move |i| pixel(row, i))).collect();
            let images =
                [&[0, 0, 8, 3], &head(rows)[..], &head(side), &head(side), &pixels].concat();
            let labels = [&[0, 0, 8, 1], &head(rows)[..], &labels].concat();
            fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).expect("written");
            fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).expect("written");
        }
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Done {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Done { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// The last line as JSON.
pub fn last(out: &str) -> Value {
    serde_json::from_str(out.lines().last().expect("a line")).expect("JSON")
}

/// The names in a folder, sorted; none where there is no folder.
pub fn list(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

/// An extent in the header of an IDX file.
fn head(extent: u8) -> [u8; 4] {
    u32::from(extent).to_be_bytes()
}
