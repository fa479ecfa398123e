//! Layers for tables, by hand-computed numbers, by gradients, and by what they are composed of; the preset `table`.

use thalweg_cpu::Cpu;
use thalweg_graph::{DType, Executor, Tensor, Value, grad};
use thalweg_nn::context::{fixed_key, trace};
use thalweg_nn::losses::cross_entropy;
use thalweg_nn::optim::{AdamW, Updater};
use thalweg_nn::presets::{Shapes, TableShape, preset, reason};
use thalweg_nn::{
    Activations, Answer, Categories, Columns, Dag, Forward, Linear, MemberLinear, MemberMean, Mode,
    NodeSpec, Periodic, PiecewiseLinear, Store, parameters,
};

use crate::gradients::{check, numbers};
use crate::help::{assert_close, bound, message, set, stateless, value};

fn eval(layer: &dyn thalweg_nn::Network, x: &Tensor) -> Tensor {
    trace(Mode::Eval, &fixed_key(0, 0), || layer.forward(x)).result
}

#[test]
fn columns_are_cut_out() {
    let rows = Tensor::new(&[0.0f32, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], [2, 4]);
    assert_eq!(stateless(&Columns::new(1, 2).forward(&rows)), [1.0, 2.0, 5.0, 6.0]);
    let ids = Columns::new(3, 1).ids().forward(&rows);
    assert_eq!((ids.dtype(), stateless(&ids)), (DType::I64, vec![3.0, 7.0]));
    let image = Columns::new(0, 4).shape([1, 2, 2]).forward(&rows);
    assert_eq!(image.shape().dims(), [2, 1, 2, 2]);
    assert!(message(&Columns::new(3, 2).forward(&rows)).contains("2 columns from 3 on"));
    assert!(message(&Columns::new(0, usize::MAX).forward(&rows)).contains("columns from 0"));
    assert!(message(&Columns::new(0, 4).shape([3]).forward(&rows)).contains("cannot be [3]"));
    assert!(message(&Columns::new(0, 1).forward(&rows.flatten(0, 1))).contains("[N, width]"));
}

#[test]
fn piecewise_linear_bends_at_its_knots() {
    let layer = PiecewiseLinear::new(vec![vec![], vec![-1.0, 0.0, 2.0], vec![0.0, 1.0]], 1);
    let mut store = bound(&layer);
    set(&mut store, "weight", &[1.0, 10.0, 100.0, 7.0]);
    set(&mut store, "linear", &[0.5, 0.0]);
    set(&mut store, "bias", &[0.25, 0.0]);
    let x = Tensor::new(&[9.0f32, -2.0, 0.5, 9.0, 0.5, -1.0, 9.0, 4.0, 2.0], [3, 3]);
    // Second column: its pieces −1 and 0, 1 and ¼, 1 and 2. Third: one piece without ends.
    let want = [
        [9.0, -1.0 - 1.0 + 0.25, 50.0],
        [9.0, 1.0 + 2.5 + 0.25 + 0.25, -100.0],
        [9.0, 1.0 + 20.0 + 2.0 + 0.25, 200.0],
    ];
    assert_close(&value(&layer.forward(&x), &store), want.as_flattened(), 1e-5);
    let wrong = PiecewiseLinear::new(vec![vec![1.0, 1.0]], 2);
    assert!(message(&wrong.forward(&x.narrow(1, 0, 1))).contains("column 0"));
    let plain = PiecewiseLinear::new(vec![vec![1.0]], 2);
    assert!(message(&plain.forward(&x.narrow(1, 0, 1))).contains("no column"));
    assert!(message(&layer.forward(&x.narrow(1, 0, 2))).contains("[N, 3]"));
}

#[test]
fn periodic_is_waves_through_a_linear_layer() {
    let layer = Periodic::new(2, 1, 1.0, 1);
    let mut store = bound(&layer);
    set(&mut store, "frequencies", &[0.25, 1.0]);
    set(&mut store, "weight", &[1.0, 2.0, 3.0, 4.0]);
    set(&mut store, "bias", &[0.5, -5.0]);
    let x = Tensor::new(&[1.0f32, 0.0], [1, 2]);
    // sin ½π + 2 cos ½π + ½; 4 cos 0 − 5, which relu cuts off.
    assert_close(&value(&layer.forward(&x), &store), &[1.5, 0.0], 1e-6);
}

#[test]
fn categories_are_one_hot_or_vectors() {
    let layer = Categories::new(&[3, 2], &[0, 2]);
    let mut store = bound(&layer);
    set(&mut store, "tables.0.weight", &[1.0, 2.0, 3.0, 4.0]);
    let ids = Tensor::new(&[2i64, 1, 0, 0], [2, 2]);
    let want = [0.0, 0.0, 1.0, 3.0, 4.0, 1.0, 0.0, 0.0, 1.0, 2.0];
    assert_eq!(value(&layer.forward(&ids), &store), want);
    let cpu = Cpu::new(2);
    let unseen = layer.forward(&Tensor::new(&[3i64, 0], [1, 2]));
    assert!(cpu.run(&[unseen], &[], &[], &mut store).is_err());
}

#[test]
fn members_are_linear_layers_side_by_side() {
    let x = Tensor::new(&[1.0f32, 2.0, -1.0, 0.5, 3.0, -2.0, 4.0, 0.0], [2, 2, 2]);
    let packed = MemberLinear::packed(2, 2, 3);
    let mut store = bound(&packed);
    let weight: Vec<f32> = (0..12).map(|i| i as f32 * 0.5 - 2.0).collect();
    set(&mut store, "weight", &weight);
    set(&mut store, "bias", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let all = value(&packed.forward(&x), &store);
    let same = value(&packed.forward(&x.narrow(1, 0, 1).squeeze(1)), &store);
    for member in 0..2 {
        let one = Linear::new(2, 3);
        let mut own = bound(&one);
        set(&mut own, "weight", &weight[member * 6..][..6]);
        let bias: Vec<f32> = (0..3).map(|i| (1 + member * 3 + i) as f32).collect();
        set(&mut own, "bias", &bias);
        let of = |x: &Tensor| value(&one.forward(x), &own);
        let want = of(&x.narrow(1, member, 1).squeeze(1));
        let alike = of(&x.narrow(1, 0, 1).squeeze(1));
        for row in 0..2 {
            let said = |y: &[f64]| y[(row * 2 + member) * 3..][..3].to_vec();
            assert_close(&said(&all), &want[row * 3..][..3], 1e-6);
            assert_close(&said(&same), &alike[row * 3..][..3], 1e-6);
        }
    }
}

#[test]
fn members_may_share_a_matrix_that_each_scales() {
    let layer = MemberLinear::shared(2, 2, 1);
    let mut store = bound(&layer);
    set(&mut store, "weight", &[3.0, 4.0]);
    set(&mut store, "bias", &[0.5, -0.5]);
    set(&mut store, "r", &[1.0, 2.0, -1.0, 1.0]);
    set(&mut store, "s", &[1.0, 10.0]);
    let x = Tensor::new(&[1.0f32, 2.0], [1, 2]);
    // 3 + 16 + ½; 10·(−3 + 8) − ½.
    assert_eq!(value(&layer.forward(&x), &store), [19.5, 49.5]);
    let signs = bound(&MemberLinear::shared(8, 50, 1).signs()).value("r").unwrap().to_f64();
    let plus = signs.iter().filter(|&&sign| sign == 1.0).count();
    assert!(signs.iter().all(|sign| sign.abs() == 1.0) && (150..250).contains(&plus), "{plus}");
    let wrong = layer.forward(&Tensor::zeros(DType::F32, [1, 3, 2]));
    assert!(message(&wrong).contains("[N, 2, 2] or [N, 2]"));
}

#[test]
fn members_answer_together() {
    let data = Value::new(&[2.0f32, -1.0, 0.5, 0.0, 3.0, 80.0, -80.0, 1.0], [2, 2, 2]).unwrap();
    let x = Tensor::constant(data);
    let mean_of = |y: Tensor| stateless(&y.mean(&[1]));
    let said = |of| eval(&MemberMean::new(of), &x);
    assert_close(&stateless(&said(Answer::Numbers)), &[1.25, -0.5, -38.5, 40.5], 1e-5);
    let shares = stateless(&said(Answer::Classes).softmax(-1));
    assert_close(&shares, &mean_of(x.softmax(-1)), 1e-6);
    let labels = stateless(&said(Answer::Labels).sigmoid());
    assert_close(&labels, &mean_of(x.sigmoid()), 1e-6);
    // The least probabilities have a log too.
    assert!(stateless(&said(Answer::Classes)).iter().all(|y| y.is_finite()));
    let training =
        trace(Mode::Train, &fixed_key(0, 0), || MemberMean::new(Answer::Classes).forward(&x));
    assert_eq!(training.result.shape().dims(), [2, 2, 2]);
    let wrong = eval(&MemberMean::new(Answer::Classes), &x.flatten(0, 1));
    assert!(message(&wrong).contains("[N, members, outputs]"));
}

#[test]
fn gradients() {
    let knots = vec![vec![-1.05, 0.02, 1.03], vec![], vec![-0.5, 0.7]];
    let cases: [(&str, &dyn thalweg_nn::Network, &[usize]); 7] = [
        ("columns", &Columns::new(1, 2).shape([2, 1]), &[3, 4]),
        ("piecewise linear", &PiecewiseLinear::new(knots, 2), &[3, 3]),
        ("periodic", &Periodic::new(2, 2, 0.5, 3), &[3, 2]),
        ("packed members", &MemberLinear::packed(2, 3, 2), &[2, 2, 3]),
        ("packed members of one input", &MemberLinear::packed(2, 3, 2), &[2, 3]),
        ("members", &MemberLinear::shared(2, 3, 2), &[2, 2, 3]),
        ("members of one input", &MemberLinear::shared(2, 3, 2).signs(), &[2, 3]),
    ];
    for (name, layer, shape) in cases {
        check(name, layer, Mode::Train, numbers(shape, 1));
    }
    for of in [Answer::Numbers, Answer::Classes, Answer::Labels] {
        check("mean of members", &MemberMean::new(of), Mode::Eval, numbers(&[2, 3, 2], 1));
    }
    let ids = Value::new(&[2i64, 1, 0, 0], [2, 2]).unwrap();
    check("categories", &Categories::new(&[3, 2], &[0, 2]), Mode::Train, ids);
}

/// A table of everything: three numbers, two categories, a text, an image, a sound.
fn with_table(rows: usize, of: impl FnOnce(&Shapes<'_>)) {
    let knots = [vec![-1.0, -0.5, 0.0, 0.5, 1.0], vec![], vec![0.0, 1.0]];
    let table = TableShape {
        numbers: &knots,
        categories: &[3, 40],
        texts: &[[6, 20]],
        images: &[[3, 8, 5]],
        sounds: &[[4, 9]],
        rows,
        answer: Answer::Classes,
    };
    let sample = [3 + 2 + 6 + 120 + 36];
    of(&Shapes { sample: &sample, vocabulary: None, outputs: 3, places: None, table: Some(table) });
}

#[test]
fn the_preset_fits_a_table_of_everything() {
    for rows in [100, 5_000, 50_000, 10_000_000] {
        with_table(rows, |shapes| {
            let nodes = (preset("table").unwrap().nodes)(shapes).unwrap();
            let text = serde_json::to_string(&nodes).unwrap();
            assert_eq!(serde_json::from_str::<Vec<NodeSpec>>(&text).unwrap(), nodes);
            let net = Dag::new(nodes);
            assert_eq!(net.build([2, shapes.sample[0]], DType::F32).unwrap().dims(), [2, 3]);
            assert!(reason(shapes).unwrap().contains("8 columns"));
        });
    }
    let flat = Shapes { sample: &[4], vocabulary: None, outputs: 3, places: None, table: None };
    assert!((preset("table").unwrap().nodes)(&flat).is_err());
    assert!(reason(&flat).is_none());
}

#[test]
fn the_preset_learns_by_all_its_columns() {
    with_table(100, |shapes| {
        let net = Dag::new((preset("table").unwrap().nodes)(shapes).unwrap());
        net.build([4, shapes.sample[0]], DType::F32).unwrap();
        let mut store = Store::new(1);
        store.bind(&net).unwrap();
        // Small whole numbers are numbers and ids as well.
        let row = |row: usize| (0..shapes.sample[0]).map(move |i| ((i * 7 + row * 5) % 3) as f32);
        let data: Vec<f32> = (0..4).flat_map(row).collect();
        let x = Tensor::new(&data, [4, shapes.sample[0]]);
        let labels = Tensor::new(&[0i64, 1, 2, 0], [4]);
        let step = trace(Mode::Train, &fixed_key(3, 0), || net.forward(&x));
        let y = step.result.ok().unwrap();
        let members = y.dim(1);
        let each = labels.unsqueeze(1).broadcast_to([4, members]).reshape([4 * members]);
        let loss = cross_entropy(&y.reshape([4 * members, 3]), &each);
        let params = parameters(&net);
        let wrt: Vec<Tensor> = params.iter().map(|(_, param)| param.tensor()).collect();
        let grads = grad(&loss, &wrt).unwrap();
        let cpu = Cpu::new(2);
        for ((path, _), slope) in params.iter().zip(&grads) {
            let slope =
                cpu.run(std::slice::from_ref(slope), &[], &[], &mut store).unwrap()[0].to_f64();
            assert!(slope.iter().any(|slope| *slope != 0.0), "{path} gets no gradient");
        }
        let lr = Tensor::scalar(1e-2, DType::F64);
        let updater = Updater::new(AdamW::default());
        let update = updater.build(&mut store, &params, &grads, &loss, &lr).unwrap();
        let mut step =
            || cpu.run(std::slice::from_ref(&loss), &update.writes, &[], &mut store).unwrap();
        let losses: Vec<f64> = (0..5).map(|_| step()[0].to_f64()[0]).collect();
        assert!(losses[4] < losses[0], "{losses:?}");
        // Nothing of it runs by a reference kernel.
        let program = cpu.compile(&[], std::slice::from_ref(&loss), &update.writes).unwrap();
        assert!(program.slow_ops().is_empty(), "{:?}", program.slow_ops());
    });
}
