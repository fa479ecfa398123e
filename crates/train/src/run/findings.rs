//! What looks unhealthy in the output of a layer.

use thalweg_graph::Value;
use thalweg_nn::LayerSpec;

/// The share of idle or saturated units from which on it is said.
const NOTABLE: f64 = 0.05;

/// Units (places along the last axis) that sleep through the batch, or sit where their slope is nearly 0.
pub(super) fn findings(spec: &LayerSpec, output: &Value) -> Vec<String> {
    let values = output.to_f64();
    let units = output.shape().last().copied().unwrap_or(1).max(1);
    let rows = (values.len() / units).max(1) as f64;
    match spec {
        LayerSpec::Relu {} => {
            let dead = (0..units)
                .filter(|unit| values.iter().skip(*unit).step_by(units).all(|&y| y <= 0.0))
                .count();
            let share = dead as f64 / units as f64;
            let said = format!(
                "{dead} of {units} units ({:.0} %) are 0 for all {rows} rows: no gradient reaches their weights in \
                 this step. Where that lasts, try leaky_relu or elu, or a lower learning rate",
                share * 100.0
            );
            if share >= NOTABLE { vec![said] } else { vec![] }
        }
        LayerSpec::Sigmoid {} | LayerSpec::Tanh {} => {
            let saturated = |y: &f64| match spec {
                LayerSpec::Sigmoid {} => !(0.01..=0.99).contains(y),
                _ => y.abs() > 0.98,
            };
            let share =
                values.iter().filter(|y| saturated(y)).count() as f64 / values.len().max(1) as f64;
            let said = format!(
                "{:.0} % of the outputs are saturated: their slope is below 0.04, and little gradient passes. Try \
                 smaller initial weights, normalised inputs, or relu",
                share * 100.0
            );
            if share >= NOTABLE { vec![said] } else { vec![] }
        }
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_and_saturated_units_are_found() {
        // Unit 1 sleeps in both rows.
        let output = Value::from_slice(&[1.0f32, 0.0, 0.0, 2.0, 0.0, 3.0]).reshaped([2, 3]);
        let output = output.unwrap_or_else(|| panic!("six numbers are 2 × 3"));
        let found = findings(&LayerSpec::Relu {}, &output);
        assert!(found.len() == 1 && found[0].starts_with("1 of 3 units (33 %)"), "{found:?}");
        assert!(findings(&LayerSpec::Gelu { tanh: false }, &output).is_empty());

        let found = findings(&LayerSpec::Tanh {}, &Value::from_slice(&[0.999f32, 0.5]));
        assert!(found.len() == 1 && found[0].starts_with("50 %"), "{found:?}");
        assert!(findings(&LayerSpec::Sigmoid {}, &Value::from_slice(&[0.3f32, 0.9])).is_empty());
    }
}
