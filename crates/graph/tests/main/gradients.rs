//! Gradients of gradients, shared weights, and what cannot be differentiated.

use thalweg_graph::gradcheck::{GradcheckError, Options, gradcheck};
use thalweg_graph::op::Op;
use thalweg_graph::{
    DType, Data, ErrorKind, NoStates, OpError, RefValue, Reference, Shape, Tensor, Value, grad,
    grad_or_none,
};

fn values(tensor: &Tensor) -> Vec<f64> {
    let found = Reference::wide().evaluate(std::slice::from_ref(tensor), &[], &NoStates);
    found.unwrap()[0].floats()
}

fn vector(x: &[f64]) -> Tensor {
    Tensor::new(x, [x.len()])
}

#[test]
fn hessian_vector_product() {
    // f = Σ x³ + x₀ x₁: the Hessian is diag(6x) with 1 at (0, 1) and (1, 0).
    let x = vector(&[1.0, -2.0, 3.0]);
    let cross = x.narrow(0, 0, 1) * x.narrow(0, 1, 1);
    let f = (&x * &x * &x).sum_all() + cross.sum_all();
    let v = vector(&[0.5, 2.0, -1.0]);
    let gradient = &grad(&f, std::slice::from_ref(&x)).unwrap()[0];
    let product = &grad(&(gradient * &v).sum_all(), std::slice::from_ref(&x)).unwrap()[0];
    assert_eq!(values(product), [6.0 * 0.5 + 2.0, -12.0 * 2.0 + 0.5, -18.0]);
}

#[test]
fn gradient_penalty() {
    // For D(x) = tanh(x·w), the penalty (‖∇ₓ D‖ − 1)² is trained by w.
    let samples = Value::new(&[0.3, -0.2, 0.5, 1.0, 0.1, -0.7], [3, 2]).unwrap();
    let weights = Value::new(&[0.7, -0.4], [2, 1]).unwrap();
    let penalty = |t: &[Tensor]| {
        let score = t[0].matmul(&t[1]).tanh().sum_all();
        let slope = &grad(&score, &t[..1]).unwrap()[0];
        let norm = (slope * slope).sum(&[1]).sqrt() - 1.0;
        (&norm * &norm).mean_all()
    };
    gradcheck(penalty, &[samples, weights], &Options::default()).unwrap();
}

#[test]
fn third_order() {
    let x = Tensor::scalar(0.7, DType::F64);
    let mut f = x.sin();
    for want in [0.7f64.cos(), -0.7f64.sin(), -0.7f64.cos(), 0.7f64.sin()] {
        f = grad(&f, std::slice::from_ref(&x)).unwrap().remove(0);
        assert!((values(&f)[0] - want).abs() < 1e-12);
    }
}

#[test]
fn a_weight_used_twice_gets_the_sum() {
    let (w, a, b) = (vector(&[2.0, 3.0]), vector(&[5.0, 7.0]), vector(&[11.0, 13.0]));
    let loss = ((&w * &a) + (&w * &b)).sum_all();
    assert_eq!(values(&grad(&loss, &[w]).unwrap()[0]), [16.0, 20.0]);
}

#[test]
fn what_the_loss_does_not_reach_gets_zeros() {
    let (x, other) = (vector(&[1.0, 2.0]), Tensor::new(&[1.0f32], [1]));
    let found = grad(&x.sum_all(), &[x.clone(), other.clone()]).unwrap();
    assert_eq!((values(&found[1]), found[1].dtype()), (vec![0.0], DType::F32));
    let found = grad_or_none(&x.sum_all(), None, &[x.clone(), other]).unwrap();
    assert!(found[0].is_some() && found[1].is_none());
    let detached = grad_or_none(&x.detach().sum_all(), None, &[x]).unwrap();
    assert!(detached[0].is_none());
}

#[test]
fn a_cotangent_weighs_the_outputs() {
    let x = vector(&[1.0, 2.0]);
    let y = &x * &x;
    let found = grad_or_none(&y, Some(&vector(&[10.0, 100.0])), std::slice::from_ref(&x)).unwrap();
    assert_eq!(values(found[0].as_ref().unwrap()), [20.0, 400.0]);
    let wrong = grad_or_none(&y, Some(&vector(&[1.0])), &[x]).unwrap_err();
    assert!(wrong.to_string().contains("the cotangent must be f64[2], got f64[1]"), "{wrong}");
}

#[test]
fn the_loss_must_be_a_float_scalar() {
    let x = vector(&[1.0, 2.0]);
    let error = grad(&x, std::slice::from_ref(&x)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gradient);
    assert!(error.to_string().contains("must be a scalar, got shape [2]"), "{error}");
    let error = grad(&x.argmax(0), std::slice::from_ref(&x)).unwrap_err();
    assert!(error.to_string().contains("must be a float, got i64"), "{error}");
    let poison = x.sum(&[3]);
    let error = grad(&poison, &[x]).unwrap_err();
    assert!(error.to_string().contains("axis 3 is out of range"), "{error}");
}

/// Twice its input, with whatever gradient rule the test wants.
#[derive(Debug)]
struct Double {
    rule: Option<f64>,
}

impl Op for Double {
    fn name(&self) -> &'static str {
        "double"
    }
    fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
        Ok((inputs[0].shape().clone(), inputs[0].dtype()))
    }
    fn grad(&self, _: &[Tensor], _: &Tensor, g: &Tensor) -> Result<Vec<Option<Tensor>>, OpError> {
        match self.rule {
            Some(slope) => Ok(vec![Some(g * slope)]),
            None => Err(OpError::gradient("`double` has no gradient rule")),
        }
    }
    fn reference(&self, inputs: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
        Ok(Data::Float(inputs[0].floats().iter().map(|x| 2.0 * x).collect()))
    }
}

#[test]
fn an_op_without_a_rule_is_an_error_at_grad_time() {
    let x = vector(&[1.0]);
    let y = Tensor::from_op(Double { rule: None }, std::slice::from_ref(&x));
    assert_eq!(values(&y), [2.0]);
    let error = grad(&y.sum_all(), std::slice::from_ref(&x)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gradient);
    assert!(error.to_string().contains("`double` has no gradient rule"), "{error}");
    assert!(error.to_string().contains("gradients.rs"), "{error}");
    // Off the path it does no harm.
    assert!(grad(&(y.detach() * &x).sum_all(), &[x]).is_ok());
}

#[test]
fn gradcheck_finds_a_wrong_rule() {
    let twice =
        |slope| move |x: &[Tensor]| Tensor::from_op(Double { rule: Some(slope) }, &x[..1]) * &x[0];
    let x = [Value::from_slice(&[0.3, -0.9])];
    gradcheck(twice(2.0), &x, &Options::default()).unwrap();
    let error = gradcheck(twice(2.1), &x, &Options::default()).unwrap_err();
    let GradcheckError::Mismatch { order: 1, worst: (0, place), .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(place, &[1], "{error}");
}

#[test]
fn gradcheck_finds_a_wrong_second_order() {
    // x² whose rule gives the right slope, but as a constant.
    #[derive(Debug)]
    struct Square;
    impl Op for Square {
        fn name(&self) -> &'static str {
            "square"
        }
        fn infer(&self, inputs: &[Tensor]) -> Result<(Shape, DType), OpError> {
            Ok((inputs[0].shape().clone(), inputs[0].dtype()))
        }
        fn grad(
            &self,
            x: &[Tensor],
            _: &Tensor,
            g: &Tensor,
        ) -> Result<Vec<Option<Tensor>>, OpError> {
            Ok(vec![Some(g * x[0].detach() * 2.0)])
        }
        fn reference(&self, inputs: &[RefValue], _: &Shape, _: DType) -> Result<Data, OpError> {
            Ok(Data::Float(inputs[0].floats().iter().map(|x| x * x).collect()))
        }
    }
    let square = |x: &[Tensor]| Tensor::from_op(Square, x);
    let x = [Value::from_slice(&[0.3, -0.9])];
    let first = Options { second_order: false, ..Options::default() };
    gradcheck(square, &x, &first).unwrap();
    let error = gradcheck(square, &x, &Options::default()).unwrap_err();
    assert!(matches!(error, GradcheckError::Mismatch { order: 2, .. }), "{error}");
}

#[test]
fn gradcheck_refuses_what_has_no_gradient() {
    let x = [Value::from_slice(&[0.3, -0.9])];
    let error = gradcheck(|x| x[0].argmax(0), &x, &Options::default()).unwrap_err();
    assert!(matches!(error, GradcheckError::NotDifferentiable(DType::I64)));
    let error = gradcheck(|x| x[0].sum(&[1]), &x, &Options::default()).unwrap_err();
    assert!(error.to_string().contains("axis 1 is out of range"), "{error}");
}

#[test]
fn ties_split_evenly() {
    let x = vector(&[1.0, 3.0, 3.0]);
    assert_eq!(values(&grad(&x.max(&[0]), std::slice::from_ref(&x)).unwrap()[0]), [0.0, 0.5, 0.5]);
    let y = vector(&[1.0, 2.0, 4.0]);
    let found = grad(&x.maximum(&y).sum_all(), &[x, y]).unwrap();
    assert_eq!((values(&found[0]), values(&found[1])), (vec![0.5, 1.0, 0.0], vec![0.5, 0.0, 1.0]));
}

#[test]
fn kinks_take_the_stated_side() {
    let x = vector(&[-1.0, 0.0, 2.0]);
    assert_eq!(
        values(&grad(&x.relu().sum_all(), std::slice::from_ref(&x)).unwrap()[0]),
        [0.0, 0.0, 1.0]
    );
    assert_eq!(
        values(&grad(&x.abs().sum_all(), std::slice::from_ref(&x)).unwrap()[0]),
        [-1.0, 0.0, 1.0]
    );
    // 0^b with b ≥ 0 does not depend on b.
    let (zero, two) = (vector(&[0.0]), vector(&[2.0]));
    let found = grad(&zero.pow(&two).sum_all(), &[zero, two]).unwrap();
    assert_eq!((values(&found[0]), values(&found[1])), (vec![0.0], vec![0.0]));
}

#[test]
fn products_with_zeros() {
    let x = Tensor::new(&[2.0, 0.0, 5.0, 0.0, 0.0, 3.0], [2, 3]);
    let found = grad(&x.prod(&[1]).sum_all(), &[x]).unwrap();
    assert_eq!(values(&found[0]), [0.0, 10.0, 0.0, 0.0, 0.0, 0.0]);
}
