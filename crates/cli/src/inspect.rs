//! `thalweg inspect`: a trained network layer by layer, and what it costs.

use std::path::PathBuf;

use serde_json::json;
use thalweg_data::Batches;
use thalweg_train::run::config::Config;
use thalweg_train::run::data::{PartName, RunData};
use thalweg_train::run::dot::dot;
use thalweg_train::run::layers::describe;
use thalweg_train::run::microscope::Microscope;
use thalweg_train::run::model::read_config;
use thalweg_train::run::session::executor;
use thalweg_train::run::{Model, RunError};

use crate::failure::Failure;
use crate::output::{self, bytes, count, percent, shape, table};
use crate::step;

#[derive(clap::Args)]
pub struct Args {
    /// The folder of a run
    run: PathBuf,
    /// Follow one training step layer by layer: values, gradients beside slopes measured without calculus, updates
    #[arg(long)]
    step: bool,
    /// Rows of the batch that --step follows
    #[arg(long, value_name = "N", default_value_t = 8, requires = "step")]
    rows: usize,
    /// Print the network as a graph for Graphviz: thalweg inspect RUN --dot | dot -Tsvg > network.svg
    #[arg(long, conflicts_with_all = ["step", "json"])]
    dot: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Threads to use [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// Looks and prints.
pub fn run(args: &Args) -> Result<(), Failure> {
    let threads = output::threads(args.threads)?;
    let config = read_config(&args.run)?;
    let model = Model::load(&args.run, executor(&config, threads))?;
    if args.dot {
        let text = dot(model.trainer.network(), &model.file.sample()).map_err(RunError::from)?;
        return output::line(text.trim_end());
    }
    match args.step {
        true => look(args, &config, &model),
        false => list(args, &config, model),
    }
}

/// The microscope on the first rows that the run learned from.
fn look(args: &Args, config: &Config, model: &Model) -> Result<(), Failure> {
    let data = RunData::open(config)?;
    model.check(&data.learn.features, &config.data.path)?;
    let train = data.rows(PartName::Train);
    let batches = Batches::new(train, args.rows, config.train.seed).map_err(|error| {
        Failure::usage(format!("{}, in --rows {}", error.message(), args.rows), error.hint())
    })?;
    let rows = batches.epoch(0).next().unwrap_or_default();
    let updater = config.train.updater();
    let report =
        microscope(config, model, &updater).look(&data.learn, &model.file.scaling, &rows)?;
    match args.json {
        true => output::json(&report),
        false => step::print(&report, &config.data.path, &args.run),
    }
}

fn microscope<'a>(
    config: &Config,
    model: &'a Model,
    updater: &'a thalweg_train::run::Updater,
) -> Microscope<'a> {
    let (lr, seed) = (config.train.lr, config.train.seed);
    Microscope { trainer: &model.trainer, updater, lr, seed }
}

/// What of the costs is only known with the data at hand.
struct Costs {
    planned_memory: usize,
    batch: usize,
    slow_ops: Vec<&'static str>,
}

fn costs(config: &Config, model: &mut Model) -> Result<Costs, RunError> {
    let data = RunData::open(config)?;
    let scaling = model.file.scaling.clone();
    let Some(train) = data.part(PartName::Train, &scaling) else {
        return Err(thalweg_data::DataError::NoRows { what: "plan for" }.into());
    };
    let batch = match config.train.batch_size {
        thalweg_train::BatchSize::Rows(rows) => rows,
        thalweg_train::BatchSize::Full => train.rows.len(),
    };
    let updater = config.train.updater();
    let rows = &train.rows[..batch.min(train.rows.len())];
    let slow_ops = microscope(config, model, &updater).slow_ops(train.data, &scaling, rows)?;
    let valid = data.part(PartName::Valid, &scaling);
    let mut planner = model.for_training(config);
    let options = config.train.fit_options(None);
    let planned_memory = planner.prepare(&train, valid.as_ref(), &options)?;
    Ok(Costs { planned_memory, batch, slow_ops })
}

fn list(args: &Args, config: &Config, mut model: Model) -> Result<(), Failure> {
    let rows = describe(model.trainer.network(), model.trainer.store(), &model.file.sample())
        .map_err(RunError::from)?;
    let parameters = model.trainer.store().numel();
    let multiply_adds: u64 = rows.iter().map(|row| row.multiply_adds).sum();
    let costs = costs(config, &mut model);
    if args.json {
        let costs = costs.ok();
        return output::json(&json!({
            "task": model.file.task,
            "input": model.file.input,
            "classes": model.file.classes,
            "layers": rows,
            "parameters": parameters,
            "multiply_adds": multiply_adds,
            "planned_training_memory_bytes": costs.as_ref().map(|costs| costs.planned_memory),
            "ops_without_fast_kernel": costs.as_ref().map(|costs| &costs.slow_ops),
        }));
    }
    let dash = |n: u64| if n == 0 { "-".to_string() } else { count(n) };
    let held: usize = rows.iter().map(|row| row.activation_bytes).sum();
    let share = |bytes: usize| match bytes {
        0 => "-".to_string(),
        bytes => percent(bytes as f64 / held as f64),
    };
    let line = |path: &str, kind: &str, output: &[usize]| {
        vec![path.to_string(), kind.to_string(), shape(output)]
    };
    let input = [[line("", "input", &model.file.input), vec!["-".into(); 3]].concat()];
    let layers = rows.iter().map(|row| {
        let costs =
            [dash(row.parameters as u64), dash(row.multiply_adds), share(row.activation_bytes)];
        [line(&row.path, &row.kind, &row.output), costs.to_vec()].concat()
    });
    let total = [vec![
        "".into(),
        "total".into(),
        "".into(),
        count(parameters as u64),
        count(multiply_adds),
        bytes(held) + " a row",
    ]];
    let header = ["layer", "what", "output", "parameters", "multiply-adds a row", "memory"];
    output::line(table(&header, input.into_iter().chain(layers).chain(total)))?;
    match costs {
        Ok(costs) => {
            output::line(format!(
                "\npeak memory in training, as planned: {} with batches of {} rows",
                bytes(costs.planned_memory),
                count(costs.batch as u64)
            ))?;
            output::line(match costs.slow_ops.is_empty() {
                true => "every op of a training step has a fast kernel".to_string(),
                false => format!("ops without a fast kernel: {}", costs.slow_ops.join(", ")),
            })?;
        }
        Err(error) => {
            output::line(format!("\nmemory in training is not known: {}", error.message()))?;
        }
    }
    let run = args.run.display();
    output::line(format!(
        "\nnext\n  thalweg inspect {run} --step    one training step under the microscope"
    ))
}
