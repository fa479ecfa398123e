//! What several test modules need: values of tensors, bound modules, errors.

use thalweg_graph::{NoStates, Reference, States, Tensor, Value};
use thalweg_nn::{Module, Store};

/// The elements of `tensor` with the states of `store`.
pub fn value(tensor: &Tensor, store: &dyn States) -> Vec<f64> {
    match Reference::new().evaluate(std::slice::from_ref(tensor), &[], store) {
        Ok(values) => values[0].floats(),
        Err(error) => panic!("{error}"),
    }
}

/// The elements of a tensor that reads no state.
pub fn stateless(tensor: &Tensor) -> Vec<f64> {
    value(tensor, &NoStates)
}

/// A store that `module` is bound to.
pub fn bound(module: &dyn Module) -> Store {
    let mut store = Store::new(42);
    store.bind(module).unwrap();
    store
}

/// Overwrites an entry of a store with `f32` numbers.
pub fn set(store: &mut Store, name: &str, data: &[f32]) {
    let slot = store.value_mut(name).unwrap();
    *slot = Value::new(data, slot.shape().clone()).unwrap();
}

/// What the error of a poisoned tensor says.
pub fn message(tensor: &Tensor) -> String {
    tensor.error().expect("the tensor should be poisoned").to_string()
}

/// Asserts that two lists of numbers agree to `tolerance`.
pub fn assert_close(got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{got:?} against {want:?}");
    let close = got.iter().zip(want).all(|(a, b)| (a - b).abs() <= tolerance);
    assert!(close, "{got:?} against {want:?}");
}
