//! Writes a large table: `generate_table ROWS FILE`. The same rows make the same file.
//!
//! Ten columns of numbers, two of categories, and the target `y`, which is a smooth function of some of them and noise. A
//! row takes about 110 bytes: ten million of them are more than a gigabyte.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};

use thalweg_data::random::Philox;

const NUMBERS: usize = 10;
const COLOURS: [&str; 5] = ["red", "green", "blue", "black", "white"];
const CITIES: [&str; 8] =
    ["Berlin", "Paris", "Rome", "Madrid", "Vienna", "Prague", "Warsaw", "Lisbon"];

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(rows), Some(path)) = (args.next(), args.next()) else {
        return Err("usage: generate_table ROWS FILE".into());
    };
    let rows: u64 = rows.parse()?;
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
    let names: Vec<String> = (1..=NUMBERS).map(|i| format!("x{i}")).collect();
    writeln!(file, "{},colour,city,y", names.join(","))?;
    let mut random = Philox::new(0, 0);
    let mut uniform = move || random.next_u64() as f64 / u64::MAX as f64;
    for _ in 0..rows {
        let x: [f64; NUMBERS] = std::array::from_fn(|_| 20.0 * uniform() - 10.0);
        let (colour, city) = ((uniform() * 5.0) as usize % 5, (uniform() * 8.0) as usize % 8);
        let y = 2.0 * x[0] - 0.5 * x[1] * x[2].signum() + 3.0 * colour as f64 + x[3].abs()
            - city as f64
            + 2.0 * uniform();
        for x in x {
            write!(file, "{x:.6},")?;
        }
        writeln!(file, "{},{},{y:.4}", COLOURS[colour], CITIES[city])?;
    }
    file.flush()?;
    Ok(())
}
