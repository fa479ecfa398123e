//! Scaling and filling: numbers worked out by hand, refusals, and the trip through JSON.

use thalweg_data::{Dataset, Features, Raw, Scaling, Standardise, Targets, open};

use crate::files::assert_says;

fn bytes(values: &[u8], width: usize, full_scale: f32) -> Features {
    Features::new(Raw::U8(values.into()), vec![width]).unwrap().with_full_scale(full_scale).unwrap()
}

fn floats(values: &[f32], width: usize) -> Features {
    Features::new(Raw::F32(values.into()), vec![width]).unwrap()
}

fn filled(features: &Features, rows: &[usize], scaling: &Scaling) -> Vec<f32> {
    let mut x = vec![f32::NAN; rows.len() * features.width()];
    features.fill(rows, scaling, &mut x).unwrap();
    x
}

#[test]
fn statistics_come_from_the_given_rows_only() {
    // Rows 0 and 1 have mean 2 and variance 2.5; row 2 must not matter.
    let features = bytes(&[0, 4, 1, 3, 200, 250], 2, 1.0);
    let scaling = Scaling::fit(&features, &[0, 1], Standardise::Global).unwrap();
    assert_eq!(
        scaling,
        Scaling { full_scale: 1.0, mean: vec![2.0], std: vec![2.5f64.sqrt() as f32] }
    );
    let per = Scaling::fit(&features, &[0, 1], Standardise::PerFeature).unwrap();
    assert_eq!(per, Scaling { full_scale: 1.0, mean: vec![0.5, 3.5], std: vec![0.5, 0.5] });
    assert_eq!(filled(&features, &[1, 0], &per), [1.0, -1.0, -1.0, 1.0]);
    let off = Scaling::fit(&features, &[0], Standardise::Off).unwrap();
    assert_eq!(filled(&features, &[2], &off), [200.0, 250.0]);
}

#[test]
fn bytes_and_floats_agree() {
    let raw: Vec<u8> = (0..=255).chain(7..=90).collect();
    let (a, b) =
        (bytes(&raw, 10, 1.0), floats(&raw.iter().map(|&v| v.into()).collect::<Vec<_>>(), 10));
    let rows: Vec<usize> = (0..a.rows()).rev().collect();
    for how in [Standardise::Off, Standardise::Global, Standardise::PerFeature] {
        let (sa, sb) =
            (Scaling::fit(&a, &rows, how).unwrap(), Scaling::fit(&b, &rows, how).unwrap());
        for (x, y) in sa.mean.iter().chain(&sa.std).zip(sb.mean.iter().chain(&sb.std)) {
            assert!((x - y).abs() <= 1e-6 * y.abs(), "{how:?}: {x} and {y}");
        }
        assert_eq!(
            filled(&a, &rows, &sa),
            filled(&b, &rows, &sa),
            "{how:?}: same scaling, same bits"
        );
    }
}

#[test]
fn full_scale_and_standardisation_of_images() {
    let features = bytes(&[0, 255, 51, 102], 2, 255.0);
    let off = Scaling::fit(&features, &[0, 1], Standardise::Off).unwrap();
    assert_eq!(filled(&features, &[0, 1], &off), [0.0, 1.0, 0.2, 0.4]);
    let data = open("digits").unwrap().train;
    let rows: Vec<usize> = (0..data.rows()).collect();
    let scaling = Scaling::fit(&data.features, &rows, Standardise::default()).unwrap();
    // scikit-learn's load_digits().data / 16: mean 0.30526013..., std 0.37605371...
    assert!((scaling.mean[0] - 0.305_26).abs() < 1e-5, "{scaling:?}");
    let x = filled(&data.features, &rows, &scaling);
    let n = x.len() as f64;
    let mean = x.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let variance = x.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
    assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-6, "{mean} {variance}");
}

#[test]
fn values_that_do_not_vary_come_near_zero() {
    for features in [bytes(&[7; 4], 2, 255.0), floats(&[0.1; 4], 2), floats(&[-1e30; 4], 2)] {
        for how in [Standardise::Global, Standardise::PerFeature] {
            let scaling = Scaling::fit(&features, &[0, 1], how).unwrap();
            assert!(scaling.std.iter().all(|&std| std == 1.0), "{scaling:?}");
            // The mean is kept in 32 bits.
            let x = filled(&features, &[0, 1], &scaling);
            assert!(x.iter().all(|x| x.abs() < 1e-8), "{x:?}");
        }
    }
    let tiny = floats(&[0.0, f32::MIN_POSITIVE / 4.0], 1);
    assert_eq!(Scaling::fit(&tiny, &[0, 1], Standardise::Global).unwrap().std, [1.0]);
    let spread = floats(&[f32::MAX, f32::MIN, f32::MAX, f32::MIN], 1);
    let scaling = Scaling::fit(&spread, &[0, 1, 2, 3], Standardise::Global).unwrap();
    assert_eq!(filled(&spread, &[0, 1], &scaling), [1.0, -1.0]);
}

#[test]
fn json_keeps_every_bit() {
    let data = open("digits").unwrap().train;
    let rows: Vec<usize> = (0..1000).collect();
    for how in [Standardise::Global, Standardise::PerFeature] {
        let scaling = Scaling::fit(&data.features, &rows, how).unwrap();
        let text = serde_json::to_string(&scaling).unwrap();
        assert_eq!(serde_json::from_str::<Scaling>(&text).unwrap(), scaling);
    }
    let plain = Scaling { full_scale: 255.0, mean: vec![0.5], std: vec![0.25] };
    assert_eq!(
        serde_json::to_string(&plain).unwrap(),
        r#"{"full_scale":255.0,"mean":[0.5],"std":[0.25]}"#
    );
    assert_eq!(serde_json::to_string(&Standardise::PerFeature).unwrap(), r#""per_feature""#);
}

#[test]
fn filling_refuses_what_does_not_fit_and_leaves_the_buffer_alone() {
    let features = bytes(&[1, 2, 3, 4], 2, 1.0);
    let good = Scaling { full_scale: 1.0, mean: vec![0.0], std: vec![1.0] };
    let mut x = vec![9.0; 2];
    assert_says(features.fill(&[2], &good, &mut x), &["row 2", "2 rows"]);
    assert_says(features.fill(&[0, 1], &good, &mut x), &["features holds 2", "2 rows need 4"]);
    for (scaling, said) in [
        (Scaling { std: vec![0.0], ..good.clone() }, "standard deviation 0 of value 0"),
        (Scaling { std: vec![f32::NAN], ..good.clone() }, "standard deviation NaN"),
        (Scaling { mean: vec![f32::INFINITY], ..good.clone() }, "mean inf"),
        (Scaling { mean: vec![0.0; 3], std: vec![1.0; 3], ..good.clone() }, "samples of 2 values"),
        (Scaling { mean: vec![], std: vec![], ..good.clone() }, "0 means"),
        (Scaling { mean: vec![0.0; 2], ..good.clone() }, "2 means and 1 standard deviations"),
        (Scaling { full_scale: 0.0, ..good.clone() }, "full scale 0"),
    ] {
        assert_says(features.fill(&[0], &scaling, &mut x), &["scaling", said]);
    }
    assert_eq!(x, [9.0, 9.0]);
    assert_says(Scaling::fit(&features, &[], Standardise::Global), &["no rows to fit a scaling"]);
    assert_says(Scaling::fit(&features, &[0, 7], Standardise::Global), &["row 7"]);
}

#[test]
fn labels_and_numbers_are_filled() {
    let features = || bytes(&[1, 2, 3], 1, 1.0);
    let names = vec!["a".to_string(), "b".to_string()];
    let classes =
        Dataset::new("c", features(), Targets::Classes { labels: vec![1, 0, 1], names }).unwrap();
    let scaling = Scaling { full_scale: 1.0, mean: vec![0.0], std: vec![1.0] };
    let (mut x, mut y) = ([0.0; 2], [9; 2]);
    classes.fill(&[2, 1], &scaling, &mut x, &mut y).unwrap();
    assert_eq!((x, y), ([3.0, 2.0], [1, 0]));
    assert_says(
        classes.fill(&[0, 1], &scaling, &mut x, &mut [0; 1]),
        &["labels holds 1", "need 2"],
    );
    assert_says(
        classes.targets.fill_values(&[0], &mut [0.0]),
        &["numbers were asked for", "class labels"],
    );

    let values = Targets::Values { values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dims: 2 };
    let values = Dataset::new("v", features(), values).unwrap();
    let mut y = [0.0; 4];
    values.targets.fill_values(&[2, 0], &mut y).unwrap();
    assert_eq!(y, [5.0, 6.0, 1.0, 2.0]);
    assert_eq!(values.targets.width(), 2);
    assert_says(values.targets.fill_values(&[3, 0], &mut y), &["row 3"]);
    assert_says(values.targets.fill_values(&[0], &mut y), &["values holds 4", "1 rows need 2"]);
    assert_says(values.targets.fill_classes(&[0], &mut [0]), &["class labels were asked for"]);
}
