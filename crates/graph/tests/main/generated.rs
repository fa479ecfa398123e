//! Properties of generated graphs and layouts.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use thalweg_graph::{DType, Layout, NoStates, Reference, Shape, Tensor, grad, print, verify};

/// A random step of a random graph: it picks earlier tensors and applies something that fits.
fn grow(pool: &mut Vec<Tensor>, choice: u8, left: usize, right: usize) {
    let a = pool[left % pool.len()].clone();
    let b = pool[right % pool.len()].clone();
    let rank = a.rank();
    let made = match choice % 16 {
        0 => a.tanh(),
        1 => a.sigmoid() * 2.0,
        2 => -&a,
        3 => &a + &b,
        4 => &a * &b,
        5 => a.maximum(&b),
        6 => Tensor::select(&a.gt(&b), &a, &b),
        7 if rank > 0 => a.sum(&[-1]),
        8 if rank > 0 => a.max(&[0]),
        9 if rank > 1 => a.t(),
        10 if rank > 0 => a.flip(&[0]),
        11 => a.unsqueeze(0),
        12 if rank > 0 && a.dim(0) > 1 => a.slice(0, 1, a.dim(0) / 2, 2),
        13 if rank > 1 => a.matmul(&a.t()),
        14 if rank > 0 && a.dim(-1) > 0 => a.sort(-1, true).0,
        15 if rank > 0 => a.cumsum(0),
        _ => a.relu(),
    };
    // What does not broadcast is poisoned, and left out.
    if made.error().is_none() && made.numel() <= 500 {
        pool.push(made);
    }
}

/// A layout reached by random changes of strides from contiguous memory.
fn layouts() -> impl Strategy<Value = Layout> {
    let dims = proptest::collection::vec(0usize..4, 0..4);
    let changes = proptest::collection::vec((0u8..4, 0usize..4, 0usize..4), 0..4);
    (dims, changes).prop_map(|(dims, changes)| {
        let mut layout = Layout::contiguous(&Shape::from(dims));
        for (change, at, to) in changes {
            let rank = layout.shape.rank();
            if rank == 0 {
                break;
            }
            let (at, to) = (at % rank, to % rank);
            let mut dims = layout.shape.to_vec();
            match change {
                0 => {
                    dims.swap(at, to);
                    layout.strides.swap(at, to);
                }
                1 if dims[at] > 0 => {
                    let last = (dims[at] - 1) as isize * layout.strides[at];
                    layout.offset = layout.offset.wrapping_add_signed(last);
                    layout.strides[at] = -layout.strides[at];
                }
                2 => {
                    dims[at] = dims[at].div_ceil(2);
                    layout.strides[at] *= 2;
                }
                _ if dims[at] == 1 => {
                    dims[at] = 3;
                    layout.strides[at] = 0;
                }
                _ => {}
            }
            layout.shape = dims.into();
        }
        layout
    })
}

fn places(layout: &Layout) -> Vec<usize> {
    layout.shape.indices().map(|index| layout.at(&index)).collect()
}

/// Whether any strides can give these places under `shape`: they must be those of the elements next to the first.
fn by_strides(places: &[usize], shape: &Shape) -> bool {
    let natural = shape.strides();
    let Some(&first) = places.first() else { return true };
    let strides: Vec<isize> = (0..shape.rank())
        .map(|axis| match shape[axis] > 1 {
            true => places[natural[axis] as usize] as isize - first as isize,
            false => 0,
        })
        .collect();
    let layout = Layout { shape: shape.clone(), strides, offset: first };
    shape.indices().map(|index| layout.at(&index)).eq(places.iter().copied())
}

/// All ways to write `n` elements with few axes, some of them of extent 1.
fn shapes_of(n: usize) -> Vec<Shape> {
    let mut shapes = vec![Shape::from([n]), Shape::from([1, n]), Shape::from([n, 1])];
    for a in (1..=n).filter(|a| n.is_multiple_of(*a)) {
        shapes.push([a, n / a].into());
        shapes.push([a, 1, n / a].into());
        shapes.extend(
            (1..=n / a).filter(|b| (n / a).is_multiple_of(*b)).map(|b| [a, b, n / a / b].into()),
        );
    }
    shapes
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn graphs_verify_run_and_differentiate(
        steps in proptest::collection::vec((any::<u8>(), 0usize..64, 0usize..64), 1..25),
        dims in proptest::collection::vec(1usize..4, 1..3),
    ) {
        let x = Tensor::iota(DType::F64, dims, -1) * 0.37 - 0.2;
        let mut pool = vec![x.clone(), Tensor::scalar(0.3, DType::F64)];
        for (choice, left, right) in steps {
            grow(&mut pool, choice, left, right);
        }
        verify(&pool).unwrap();
        prop_assert_eq!(print::text(&pool), print::text(&pool));
        let loss = pool.iter().fold(Tensor::scalar(0.0, DType::F64), |sum, t| sum + t.sum_all());
        let slope = grad(&loss, std::slice::from_ref(&x)).unwrap().remove(0);
        verify(std::slice::from_ref(&slope)).unwrap();
        let found = Reference::new().evaluate(&[loss, slope], &[], &NoStates).unwrap();
        prop_assert_eq!(found[1].shape.clone(), x.shape().clone());
    }

    #[test]
    fn reshaped_layouts_reach_the_same_elements(layout in layouts()) {
        let before = places(&layout);
        for shape in shapes_of(before.len()) {
            match layout.reshape(&shape) {
                Some(after) => {
                    prop_assert_eq!(&after.shape, &shape);
                    prop_assert_eq!(places(&after), before.clone(), "{:?} as {}", layout, shape);
                }
                None => prop_assert!(!by_strides(&before, &shape), "{:?} as {}", layout, shape),
            }
        }
        prop_assert!(layout.reshape(&Shape::from([before.len() + 1])).is_none());
        let in_order = before.windows(2).all(|w| w[1] == w[0] + 1);
        prop_assert_eq!(layout.is_contiguous(), in_order, "{:?}", layout);
    }
}
