//! How a series of numbers goes on.

use std::sync::Arc;

use thalweg_graph::{Layer, OpError, Tensor};

use crate::init::Init;
use crate::layers::{Linear, check_float, forward_in, needs_one, origin};
use crate::{Forward, Module};

/// Forecasts the next `horizon` numbers of a series from a window of it, as what it corrects in a naive forecast: with `l` the
/// window's last number, `s` its standard deviation and `z = (x − l)/s`, step h is `b_h + s·(A·z + B·relu(C·z + c) + d)_h`. The
/// naive forecast `b` is the last number, or with a season p the number p steps before. So a forecast moves and
/// stretches with its window (as [Kim et al. 2022](https://openreview.net/forum?id=cGDAkQo1C0p)), and before it has learned
/// anything it is the naive one.
///
/// Shapes: `[N, L] → [N, horizon]`, or `[N, L, C]` where column 0 is the series and the others go with it; the forecast is
/// in units of the input. Parameters: `linear.*` and `output.*` (zeros at first), `hidden.*`. Errors: an input of another
/// shape, a window shorter than the season, a size of 0.
///
/// ```
/// use thalweg_graph::{Reference, Tensor};
/// use thalweg_nn::{Forecaster, Forward, Store};
/// let net = Forecaster::new(4, 1, 3).season(2);
/// let mut store = Store::new(0);
/// store.bind(&net)?;
/// let y = net.forward(&Tensor::new(&[5.0f32, 6.0, 7.0, 8.0], [1, 4]));
/// assert_eq!(Reference::new().evaluate(&[y], &[], &store)?[0].floats(), [7.0, 8.0, 7.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Module)]
pub struct Forecaster {
    #[module(flatten)]
    layer: Arc<Layer>,
    #[module(skip)]
    window: usize,
    #[module(skip)]
    channels: usize,
    #[module(skip)]
    horizon: usize,
    #[module(skip)]
    season: usize,
    linear: Linear,
    hidden: Linear,
    output: Linear,
}

impl Forecaster {
    /// From windows of so many numbers in so many columns, with 64 hidden units and no season.
    #[track_caller]
    pub fn new(window: usize, channels: usize, horizon: usize) -> Forecaster {
        let zeros = |inputs| Linear::initialised(inputs, horizon, Init::Zeros, Some(Init::Zeros));
        Forecaster {
            layer: Layer::new(format!("Forecaster {window} → {horizon}")),
            window,
            channels,
            horizon,
            season: 1,
            linear: zeros(window * channels),
            hidden: Linear::new(window * channels, 64),
            output: zeros(64),
        }
    }

    /// With so many hidden units. It makes that part anew.
    #[track_caller]
    #[must_use]
    pub fn hidden(mut self, size: usize) -> Forecaster {
        self.hidden = Linear::new(self.window * self.channels, size);
        self.output = Linear::initialised(size, self.horizon, Init::Zeros, Some(Init::Zeros));
        self
    }

    /// For a series that nearly repeats itself after so many steps.
    #[must_use]
    pub fn season(mut self, steps: usize) -> Forecaster {
        self.season = steps;
        self
    }

    fn check(&self, x: &Tensor) -> Result<(), OpError> {
        let Forecaster { window, channels, horizon, season, .. } = *self;
        for (name, size) in [("the window", window), ("horizon", horizon), ("season", season)] {
            if size == 0 {
                return Err(needs_one(name));
            }
        }
        check_float(x)?;
        if season > window {
            let what = format!("the season must be at most the window {window}, got {season}");
            return Err(OpError::argument(what).hint("make the window longer"));
        }
        let shape = x.shape();
        let fits = match shape.dims() {
            [_, l] => *l == window && channels == 1,
            [_, l, c] => *l == window && *c == channels,
            _ => false,
        };
        match fits {
            true => Ok(()),
            false => {
                let what = format!("the input must be [N, {window}, {channels}], got {shape}");
                Err(OpError::shape(format!("{what}{}", origin(x)))
                    .hint("samples, steps of the window, columns"))
            }
        }
    }

    fn run(&self, x: &Tensor) -> Tensor {
        let (batch, window) = (x.dim(0), self.window);
        let x = x.reshape([batch, window, self.channels]);
        let last = x.narrow(1, window - 1, 1);
        // A window of equal numbers has no spread to measure by.
        let spread = (x.var(&[1]).unsqueeze(1) + 1e-5).sqrt();
        let z = ((&x - &last) / &spread).flatten(1, 2);
        let hidden = self.hidden.forward(&z).relu();
        let change = self.linear.forward(&z) + self.output.forward(&hidden);

        let series = x.narrow(2, 0, 1).squeeze(2);
        let season = series.narrow(1, window - self.season, self.season);
        let rounds = self.horizon.div_ceil(self.season);
        let naive = Tensor::concat(&vec![season; rounds], 1).narrow(1, 0, self.horizon);
        naive + change * spread.narrow(2, 0, 1).squeeze(2)
    }
}

impl Forward for Forecaster {
    fn forward(&self, x: &Tensor) -> Tensor {
        forward_in(&self.layer, x, || self.check(x), || self.run(x))
    }
}
