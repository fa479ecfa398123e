//! A network inside a program: a table is learned, and rows in memory are answered one by one.
//!
//! cargo run --release --example 13-embed

use std::error::Error;
use std::fmt::Write;
use std::time::Instant;

use thalweg::train::run::{Draft, RunFolder, Session};
use thalweg::{Cell, Model};

fn main() -> Result<(), Box<dyn Error>> {
    // A fruit is ripe where it is soft, the red ones sooner than the green ones.
    let folder = std::env::temp_dir().join(format!("thalweg-embed-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut table = String::from("colour,softness,ripe\n");
    for i in 0..1000 {
        let (red, softness) = (i % 2 == 0, f64::from(i * 37 % 101) / 100.0);
        let (colour, bar) = if red { ("red", 0.4) } else { ("green", 0.7) };
        let ripe = if softness > bar { "yes" } else { "no" };
        writeln!(table, "{colour},{softness},{ripe}")?;
    }
    let path = folder.join("fruit.csv");
    std::fs::write(&path, table)?;

    let session = Session::prepare(&Draft::new(), &path.display().to_string(), 1)?;
    let run = folder.join("run");
    session.train(RunFolder::claim("fruit", Some(&run), false)?, None, &mut ())?;

    let mut model = Model::load(&run)?;
    let red = [("colour", Cell::from("red")), ("softness", 0.55.into())];
    let green = [("colour", Cell::from("green")), ("softness", 0.55.into())];
    for prediction in model.predict(&[red, green])? {
        println!("ripe: {} {:?} {:?}", prediction.answer, model.classes(), prediction.scores);
    }
    let started = Instant::now();
    for _ in 0..1000 {
        model.predict(&[red])?;
    }
    println!("{:.0} µs a row, one at a time", started.elapsed().as_secs_f64() * 1e3);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
