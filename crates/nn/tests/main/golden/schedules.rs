//! Every schedule: the rate of each step.

use serde::Deserialize;
use thalweg_nn::Schedule;
use thalweg_nn::schedule::{Plateau, PlateauOptions};

use super::{DOUBLE, read};

#[derive(Deserialize)]
struct Golden {
    schedules: Vec<Case>,
    plateaus: Vec<PlateauCase>,
}

#[derive(Deserialize)]
struct Case {
    schedule: Schedule,
    base: f64,
    total: u64,
    rates: Vec<f64>,
}

#[derive(Deserialize)]
struct PlateauCase {
    options: PlateauOptions,
    base: f64,
    metrics: Vec<f64>,
    rates: Vec<f64>,
}

#[test]
fn schedules_are_those_of_pytorch() {
    let golden: Golden = read(include_str!("../../golden/schedules.json"));
    assert_eq!((golden.schedules.len(), golden.plateaus.len()), (11, 4));
    for case in golden.schedules {
        case.schedule.check().unwrap();
        let steps = 0..case.rates.len() as u64;
        let rates: Vec<f64> =
            steps.map(|step| case.schedule.lr(case.base, step, case.total)).collect();
        DOUBLE.compare(&format!("{:?}", case.schedule), &rates, &case.rates);
    }
    for case in golden.plateaus {
        let mut plateau = Plateau::new(case.options.clone(), case.base);
        let rates: Vec<f64> = case.metrics.iter().map(|&m| plateau.observe(m)).collect();
        DOUBLE.compare(&format!("{:?}", case.options), &rates, &case.rates);
    }
}
