//! How the microscope's findings are printed: for reading from top to bottom.

use std::path::Path;

use thalweg_train::run::microscope::{LayerStep, ParameterStep, StepReport, Summary};

use crate::failure::Failure;
use crate::output::{count, line, number};

/// A relative difference from which on a gradient deserves a second look: what `f32` rounds away lies far below.
const DOUBTFUL: f64 = 1e-2;

/// Prints a step.
pub fn print(report: &StepReport, data: &str, run: &Path) -> Result<(), Failure> {
    line(format!(
        "One training step on {} rows of {data}, with the weights of {}.\n\
         A batch goes forward through the layers (x in, y out) to the loss L. Backpropagation goes the other way:\n\
         from g = ∂L/∂y of a layer it makes the gradients of the layer's weights, and ∂L/∂x, which is g of the layer\n\
         before. Each gradient shown (f32, as in training) stands beside the slope measured without calculus:\n\
         (L(w + h) − L(w − h)) / 2h in f64.",
        count(report.rows as u64),
        run.display()
    ))?;
    line(format!("\ninput\n  value     {}", summary(&report.input)))?;
    for layer in &report.layers {
        print_layer(layer)?;
    }
    line(format!(
        "\nloss\n  L = {} (f32), {} (f64); the gradient of all parameters together has norm {}",
        number(report.loss),
        number(report.loss_f64),
        number(report.grad_norm)
    ))?;
    line(
        "\nupdate\n  The optimizer, starting afresh with learning rate ".to_string()
            + &number(report.lr)
            + ", would change the weights by the shares given above.\n  \
           About 0.001 of the weights a step is usual; far more is a wild ride, far less a standstill.",
    )?;
    if report.unchecked > 0 {
        line(format!(
            "\nOf {} parameters no slope was measured: the reference executor would take too long for a network of this \
             size.\nFewer --rows leave time for more.",
            report.unchecked
        ))?;
    }
    let parameters = || report.layers.iter().flat_map(|layer| &layer.parameters);
    if parameters().all(|parameter| parameter.checks.is_empty()) {
        return Ok(());
    }
    line(match report.worst_difference {
        worst if worst < DOUBTFUL => {
            format!(
                "\nThe gradients agree with their slopes; the greatest relative difference is {}.",
                number(worst)
            )
        }
        worst => format!(
            "\nThe greatest relative difference is {}: rounding in f32 (near 0), a kink (relu at 0), or a mistake.",
            number(worst)
        ),
    })
}

fn print_layer(layer: &LayerStep) -> Result<(), Failure> {
    line(format!("\n{}  {}", layer.path, layer.kind))?;
    line(format!("  forward   {}", layer.forward))?;
    line(format!("  backward  {}", layer.backward))?;
    line(format!("  value     {}", summary(&layer.value)))?;
    line(format!(
        "  gradient  norm {}; {}",
        number(layer.gradient.norm),
        excerpt(&layer.gradient)
    ))?;
    for parameter in &layer.parameters {
        print_parameter(parameter)?;
    }
    for finding in &layer.findings {
        line(format!("  note      {finding}"))?;
    }
    Ok(())
}

fn print_parameter(parameter: &ParameterStep) -> Result<(), Failure> {
    line(format!("  {}", parameter.name))?;
    line(format!("    value     {}", summary(&parameter.value)))?;
    let ratio = parameter.update_ratio.map_or_else(|| "-".into(), number);
    line(format!(
        "    gradient  norm {}; {}; update/weight {ratio}",
        number(parameter.gradient.norm),
        excerpt(&parameter.gradient)
    ))?;
    for check in &parameter.checks {
        line(format!(
            "    check     {:<12} gradient {:>12}   slope {:>12}   relative difference {}",
            format!("{:?}", check.index),
            number(check.gradient),
            number(check.slope),
            number(check.difference)
        ))?;
    }
    Ok(())
}

fn summary(summary: &Summary) -> String {
    let Summary { shape, mean, std, min, max, .. } = summary;
    let [mean, std, min, max] = [mean, std, min, max].map(|x| number(*x));
    format!("{shape:?} mean {mean}, std {std}, from {min} to {max}; {}", excerpt(summary))
}

fn excerpt(summary: &Summary) -> String {
    let first: Vec<String> = summary.first.iter().map(|x| number(*x)).collect();
    let more = if summary.shape.iter().product::<usize>() > first.len() { ", …" } else { "" };
    format!("[{}{more}]", first.join(", "))
}
