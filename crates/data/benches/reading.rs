//! How fast tables are read: cells in a second, of reading alone and of reading and encoding, of CSV and, where there is
//! one, Parquet. `cargo bench -p thalweg-data --bench reading [-- FILE --target COLUMN]`.

use std::error::Error;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use thalweg_data::random::Philox;
use thalweg_data::tabular::source::TableSource;
use thalweg_data::{SourceOptions, open_features, open_with};

/// Rows and columns of the table that is made where none is named.
const ROWS: usize = 500_000;
const COLUMNS: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let folder = tempfile::tempdir()?;
    let (path, target) = match args.as_slice() {
        [path, flag, target] if flag == "--target" => (path.clone(), target.clone()),
        [] => {
            let path = folder.path().join("numbers.csv");
            std::fs::write(&path, numbers())?;
            (path.display().to_string(), "y".into())
        }
        _ => return Err("usage: reading [FILE --target COLUMN]".into()),
    };
    let options = SourceOptions {
        target: Some(target),
        kind: Some(thalweg_data::Kind::Table),
        ..SourceOptions::default()
    };
    let table = TableSource::open(&path, &options)?;
    let (columns, bytes) = (table.columns().len(), std::fs::metadata(&path)?.len());
    println!("{path}: {} MB, {columns} columns", bytes / 1_000_000);

    let mut rows = 0;
    let took = time(|| {
        rows = 0;
        table.read(&mut |chunk| {
            rows += chunk.rows;
            Ok(())
        })?;
        Ok(())
    })?;
    report("reading", rows * columns, took);

    let mut sum = 0.0;
    let took = time(|| {
        table.read(&mut |chunk| {
            for cells in &chunk.columns {
                sum += (0..chunk.rows).filter_map(|row| cells.number(row)).sum::<f64>();
            }
            Ok(())
        })?;
        Ok(())
    })?;
    report("reading and parsing", rows * columns, took);

    let mut loaded = None;
    let took = time(|| {
        // The memory of the time before is not to be held any longer.
        loaded = None;
        loaded = Some(open_with(&path, &options)?);
        Ok(())
    })?;
    report("reading twice: types, statistics, rows", rows * columns, took);
    let Some(loaded) = loaded else { return Ok(()) };

    let took = time(|| {
        open_features(&path, &loaded.encoding, &options)?;
        Ok(())
    })?;
    report("reading and encoding", rows * columns, took);
    Ok(())
}

/// A table of numbers, as text.
fn numbers() -> String {
    let mut random = Philox::new(0, 0);
    let names: Vec<String> = (1..=COLUMNS).map(|i| format!("x{i}")).collect();
    let mut text = names.join(",").replace(&format!("x{COLUMNS}"), "y");
    for i in 0..ROWS * COLUMNS {
        let end = if i % COLUMNS == 0 { '\n' } else { ',' };
        let number = random.next_u64() as f64 / u64::MAX as f64 * 200.0 - 100.0;
        // Writing to a string does not fail.
        let _ = write!(text, "{end}{number:.5}");
    }
    text
}

/// Seconds of the clock and of all processors.
type Took = (f64, f64);

/// The best of three.
fn time(mut run: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<Took, Box<dyn Error>> {
    let mut best = (f64::INFINITY, f64::INFINITY);
    for _ in 0..3 {
        let (began, used) = (Instant::now(), processors());
        run()?;
        let took = (began.elapsed().as_secs_f64(), processors() - used);
        if took.0 < best.0 {
            best = took;
        }
    }
    Ok(best)
}

/// Seconds that this process has used of processors, where the system says so in hundredths.
fn processors() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks).as_secs_f64()
}

fn report(what: &str, cells: usize, (seconds, processors): Took) {
    let rate = |seconds: f64| cells as f64 / seconds / 1e6;
    print!("{what:<40} {:>7.1} million cells a second", rate(seconds));
    match processors > 0.0 {
        true => println!(", {:.1} for each core in use", rate(processors)),
        false => println!(),
    }
}
