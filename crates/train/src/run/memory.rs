//! Whether a network can fit into this machine at all: asked before its weights are made, since an allocation that
//! fails ends the program.

use thalweg_nn::{Module, Optimizer, parameters};

/// What is wrong where the trained numbers of `network`, their gradients and what `optimizer` keeps of each need more
/// memory than there is; `None` where they fit, or where the system does not say.
pub(super) fn too_large(network: &dyn Module, optimizer: &Optimizer) -> Option<String> {
    let numbers: f64 = parameters(network)
        .iter()
        .map(|(_, param)| param.shape().iter().map(|&extent| extent as f64).product::<f64>())
        .sum();
    let copies = 2 + optimizer.slots().len();
    let needed = numbers * (copies * size_of::<f32>()) as f64;
    let there = available()?;
    let gigabytes = |bytes: f64| format!("{:.1} GB", bytes / 1e9);
    (needed > there).then(|| {
        format!(
            "the network has {numbers:.3e} parameters, which take {} to train, but {} of memory are free",
            gigabytes(needed),
            gigabytes(there)
        )
    })
}

/// Bytes that can be had without swapping; known on Linux.
fn available() -> Option<f64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_nn::Linear;
    use thalweg_nn::optim::Adam;

    #[test]
    fn only_what_cannot_fit_is_refused() {
        let adam = Optimizer::from(Adam::default());
        assert_eq!(too_large(&Linear::new(64, 10), &adam), None);
        if available().is_some() {
            let problem = too_large(&Linear::new(1 << 20, 1 << 30), &adam);
            assert!(problem.is_some_and(|problem| problem.contains("1.126e15 parameters")));
        }
    }
}
