//! Spatial extents changed to given ones: adaptive pooling, up-sampling. Compositions.

use crate::dtype::DType;
use crate::error::OpError;
use crate::ops::PoolSpec;
use crate::ops::window::{check_rank, one_float_type};
use crate::tensor::Tensor;

/// What is wrong with resizing `x` to `sizes`.
fn check_sizes(x: &Tensor, sizes: &[usize]) -> Result<(), OpError> {
    check_rank("input", x.shape(), sizes.len())?;
    for (a, &size) in sizes.iter().enumerate() {
        let (axis, extent, shape) = (a + 2, x.shape()[a + 2], x.shape());
        if size == 0 || extent == 0 {
            return Err(OpError::shape(format!(
                "axis {axis} of {shape} must go from at least 1 element to at least 1, got {extent} to {size}"
            )));
        }
    }
    Ok(())
}

/// Window i of `size` over `extent` elements: from ⌊i·extent/size⌋ to ⌈(i+1)·extent/size⌉.
fn windows(extent: usize, size: usize) -> Vec<(usize, usize)> {
    let wide = |i: usize| i as u128 * extent as u128;
    (0..size)
        .map(|i| {
            let end = wide(i + 1).div_ceil(size as u128);
            ((wide(i) / size as u128) as usize, end as usize)
        })
        .collect()
}

/// Where windows differ in length or overlap: x with the windows of such an axis side by side, each as long as the
/// longest one by repeating its last element. Pooling with the returned kernel as its stride then pools each window.
fn side_by_side(x: &Tensor, sizes: &[usize]) -> (Tensor, Vec<usize>) {
    let (mut x, mut kernel) = (x.clone(), vec![]);
    for (a, &size) in sizes.iter().enumerate() {
        let (axis, extent) = (a as isize + 2, x.shape()[a + 2]);
        if extent.is_multiple_of(size) {
            kernel.push(extent / size);
            continue;
        }
        let windows = windows(extent, size);
        let longest = windows.iter().map(|(start, end)| end - start).max().unwrap_or(1);
        let ids: Vec<i64> = (windows.iter())
            .flat_map(|&(start, end)| (0..longest).map(move |i| (start + i).min(end - 1) as i64))
            .collect();
        x = x.index_select(axis, &Tensor::new(&ids, [ids.len()]));
        kernel.push(longest);
    }
    (x, kernel)
}

/// A row of numbers along `axis` that broadcasts to tensors of `rank`.
fn along(axis: usize, rank: usize, numbers: &[f64], dtype: DType) -> Tensor {
    let mut shape = vec![1; rank];
    shape[axis] = numbers.len();
    Tensor::new(numbers, shape).cast(dtype)
}

impl Tensor {
    /// The poisoned tensor to return where this one cannot be resized to `sizes`.
    #[track_caller]
    fn resizable(&self, name: &str, sizes: &[usize], floats: bool) -> Result<(), Tensor> {
        if self.error().is_some() {
            return Err(self.clone());
        }
        let types = match floats {
            true => one_float_type(std::slice::from_ref(self)).map(|_| ()),
            false => Ok(()),
        };
        // Not `map_err`, whose closure would hide the caller's line.
        match types.and_then(|()| check_sizes(self, sizes)) {
            Ok(()) => Ok(()),
            Err(error) => Err(Tensor::poison(name, error)),
        }
    }

    /// Max-pools `[N, C, D…]` to the spatial extents `sizes`, as `torch.nn.functional.adaptive_max_pool2d`: window i
    /// goes from ⌊i·D/size⌋ to ⌈(i+1)·D/size⌉.
    #[track_caller]
    pub fn adaptive_max_pool(&self, sizes: &[usize]) -> Tensor {
        if let Err(poisoned) = self.resizable("adaptive_max_pool", sizes, true) {
            return poisoned;
        }
        let (x, kernel) = side_by_side(self, sizes);
        x.max_pool(&PoolSpec::new(&kernel))
    }

    /// Average-pools `[N, C, D…]` to the spatial extents `sizes`, as `torch.nn.functional.adaptive_avg_pool2d`:
    /// window i goes from ⌊i·D/size⌋ to ⌈(i+1)·D/size⌉. Sizes of 1 pool globally.
    #[track_caller]
    pub fn adaptive_avg_pool(&self, sizes: &[usize]) -> Tensor {
        if let Err(poisoned) = self.resizable("adaptive_avg_pool", sizes, true) {
            return poisoned;
        }
        if sizes.iter().all(|&size| size == 1) {
            let axes: Vec<isize> = (2..self.rank() as isize).collect();
            return self.mean(&axes).keepdim(self, &axes);
        }
        let (mut x, kernel) = side_by_side(self, sizes);
        let mut scales = vec![];
        for (a, (&size, &longest)) in sizes.iter().zip(&kernel).enumerate() {
            let (axis, extent) = (a + 2, self.shape()[a + 2]);
            if extent.is_multiple_of(size) {
                continue;
            }
            // Repeated elements count as zero, and the mean is over the window's own length.
            let windows = windows(extent, size);
            let own = (windows.iter())
                .flat_map(|(start, end)| (0..longest).map(move |i| (i < end - start) as u8 as f64));
            let own = along(axis, x.rank(), &own.collect::<Vec<_>>(), DType::F64).cast(DType::Bool);
            x = Tensor::select(&own, &x, &Tensor::full_like(&x, 0.0));
            let scale = windows.iter().map(|(start, end)| longest as f64 / (end - start) as f64);
            scales.push(along(axis, x.rank(), &scale.collect::<Vec<_>>(), x.dtype()));
        }
        let mut pooled = x.avg_pool(&PoolSpec::new(&kernel), true);
        for scale in scales {
            pooled = pooled * scale;
        }
        pooled
    }

    /// Resizes `[N, C, D…]` to the spatial extents `sizes` by taking element ⌊i·D/size⌋ for place i, as
    /// `torch.nn.functional.interpolate` with mode `nearest`.
    #[track_caller]
    pub fn upsample_nearest(&self, sizes: &[usize]) -> Tensor {
        if let Err(poisoned) = self.resizable("upsample_nearest", sizes, false) {
            return poisoned;
        }
        let mut x = self.clone();
        for (a, &size) in sizes.iter().enumerate() {
            let (axis, extent) = (a + 2, self.shape()[a + 2]);
            if size.is_multiple_of(extent) {
                // Each element so many times: a movement, whose gradient is a sum.
                let mut shape = x.shape().to_vec();
                shape.insert(axis + 1, size / extent);
                x = x.unsqueeze(axis as isize + 1).broadcast_to(&shape);
                x = x.flatten(axis as isize, axis as isize + 1);
            } else {
                let ids: Vec<i64> = windows(extent, size).iter().map(|w| w.0 as i64).collect();
                x = x.index_select(axis as isize, &Tensor::new(&ids, [size]));
            }
        }
        x
    }

    /// Resizes `[N, C, D…]` to the spatial extents `sizes` by linear interpolation along each spatial axis, as
    /// `torch.nn.functional.interpolate` with mode `linear`, `bilinear` or `trilinear`. Place i of the result looks at
    /// i·(D−1)/(size−1) with `align_corners`, else at (i + ½)·D/size − ½, at least 0.
    #[track_caller]
    pub fn upsample_linear(&self, sizes: &[usize], align_corners: bool) -> Tensor {
        if let Err(poisoned) = self.resizable("upsample_linear", sizes, true) {
            return poisoned;
        }
        let mut x = self.clone();
        for (a, &size) in sizes.iter().enumerate() {
            let (axis, extent) = (a + 2, self.shape()[a + 2]);
            if size == extent {
                continue;
            }
            let look = |i: usize| match align_corners {
                true if size == 1 => 0.0,
                true => i as f64 * (extent - 1) as f64 / (size - 1) as f64,
                false => ((i as f64 + 0.5) * extent as f64 / size as f64 - 0.5).max(0.0),
            };
            let last = extent - 1;
            let below: Vec<i64> = (0..size).map(|i| (look(i) as usize).min(last) as i64).collect();
            let above: Vec<i64> = below.iter().map(|&i| (i + 1).min(last as i64)).collect();
            let shares: Vec<f64> = (0..size).map(|i| look(i) - below[i] as f64).collect();
            let rests: Vec<f64> = shares.iter().map(|share| 1.0 - share).collect();
            let at = |ids: &[i64]| x.index_select(axis as isize, &Tensor::new(ids, [size]));
            let weight = |shares: &[f64]| along(axis, x.rank(), shares, x.dtype());
            x = at(&below) * weight(&rests) + at(&above) * weight(&shares);
        }
        x
    }
}
