//! Options: their ranges, their forms in files.

use std::time::Duration;

use thalweg_nn::Schedule;
use thalweg_nn::schedule::{Better, PlateauOptions};
use thalweg_train::{BatchSize, FitOptions, TrainError};

use crate::data::{Set, adam, classifier, greatest, mlp};

#[test]
fn what_is_out_of_range_is_named() {
    let plateau = PlateauOptions { mode: Better::Max, ..Default::default() };
    let d = FitOptions::default;
    let cases = [
        (FitOptions { epochs: 0, ..d() }, "epochs: must be at least 1, got 0"),
        (FitOptions { batch_size: BatchSize::Rows(0), ..d() }, "batch_size: must be at least 1"),
        (FitOptions { lr: 0.0, ..d() }, "lr: must be > 0 and at most 1e30, got 0"),
        (FitOptions { lr: -0.5, ..d() }, "lr: must be > 0 and at most 1e30, got -0.5"),
        (FitOptions { lr: f64::NAN, ..d() }, "got NaN"),
        (FitOptions { lr: f64::INFINITY, ..d() }, "got inf"),
        (
            FitOptions { schedule: Schedule::Step { every: 0, gamma: 0.1 }, ..d() },
            "schedule: every must be at least 1",
        ),
        (FitOptions { schedule: Schedule::ReduceOnPlateau(plateau), ..d() }, "watches the loss"),
        (FitOptions { max_steps: Some(0), ..d() }, "max_steps: must be at least 1"),
        (FitOptions { patience: Some(0), ..d() }, "patience: must be at least 1"),
        (FitOptions { tol_patience: 0, ..d() }, "tol_patience: must be at least 1"),
        (FitOptions { accumulate: 0, ..d() }, "accumulate: must be at least 1"),
        (FitOptions { tol: Some(-1.0), ..d() }, "tol: must be finite and at least 0, got -1"),
        (FitOptions { l1: f64::NAN, ..d() }, "l1: must be finite and at least 0, got NaN"),
        (FitOptions { l2: -0.1, ..d() }, "l2: must be finite and at least 0, got -0.1"),
        (FitOptions { max_time: Some(Duration::ZERO), ..d() }, "max_time: must be more than 0"),
    ];
    for (options, said) in cases {
        let error = options.check().unwrap_err();
        assert!(error.message().contains(said), "{error}");
        assert!(!error.hint().is_empty(), "{error}");
        // And fit refuses the same.
        let set = Set::whole(greatest(40));
        let again = crate::data::fit(&mut classifier(mlp(2, 3), adam()), &set, &options);
        assert_eq!(again.unwrap_err().to_string(), error.to_string());
    }
    assert!(d().check().is_ok());
}

#[test]
fn patience_needs_something_to_watch() {
    let set = Set::whole(greatest(40));
    let options = FitOptions { patience: Some(3), ..FitOptions::default() };
    let error = crate::data::fit(&mut classifier(mlp(2, 3), adam()), &set, &options).unwrap_err();
    assert!(matches!(error, TrainError::Option { option: "patience", .. }), "{error}");
    assert!(error.hint().contains("validation share"), "{error}");
}

#[test]
fn options_survive_a_file() {
    let text = "epochs = 3\nbatch_size = \"full\"\nlr = 0.5\nmax_time = 90.5\npatience = 4\n\
        schedule = { type = \"cosine\", min = 0.01 }\n";
    let options: FitOptions = toml::from_str(text).unwrap();
    assert_eq!(options.batch_size, BatchSize::Full);
    assert_eq!(options.max_time, Some(Duration::from_millis(90_500)));
    assert_eq!((options.epochs, options.patience, options.accumulate), (3, Some(4), 1));
    assert_eq!(options.schedule, Schedule::Cosine { min: 0.01, total: None });
    let full = FitOptions { max_steps: Some(7), tol: Some(0.1), l1: 0.25, seed: 9, ..options };
    let again: FitOptions = toml::from_str(&toml::to_string(&full).unwrap()).unwrap();
    assert_eq!(again, full);
    assert_eq!(toml::from_str::<FitOptions>("").unwrap(), FitOptions::default());
    let sized: FitOptions = toml::from_str("batch_size = 64").unwrap();
    assert_eq!(sized.batch_size, BatchSize::Rows(64));
}

#[test]
fn files_with_mistakes_are_refused() {
    for (text, said) in [
        ("epoch = 3", "unknown field `epoch`"),
        ("batch_size = -1", "a number of rows or \"full\""),
        ("batch_size = \"all\"", "a number of rows or \"full\""),
        ("max_time = -1.0", "no number of seconds"),
        ("schedule = { type = \"cosinus\" }", "cosinus"),
    ] {
        let error = toml::from_str::<FitOptions>(text).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    assert_eq!("full".parse(), Ok(BatchSize::Full));
    assert_eq!("12".parse(), Ok(BatchSize::Rows(12)));
    assert!("12.5".parse::<BatchSize>().unwrap_err().contains("12.5"));
    assert_eq!(
        (BatchSize::Full.to_string(), BatchSize::Rows(3).to_string()),
        ("full".into(), "3".into())
    );
}
