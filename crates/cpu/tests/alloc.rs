//! A compiled program does not allocate as it runs.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use thalweg_cpu::Cpu;
use thalweg_graph::ops::{Attention, ConvSpec, PoolSpec};
use thalweg_graph::{DType, StateId, Tensor, Value, grad};

/// The system's allocator, counting the requests of all threads while it is told to.
struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static REQUESTS: AtomicUsize = AtomicUsize::new(0);

fn count() {
    if COUNTS.load(Ordering::SeqCst) {
        REQUESTS.fetch_add(1, Ordering::SeqCst);
    }
}

// SAFETY: every request goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The number of allocations while `f` runs.
fn requests(f: impl FnOnce()) -> usize {
    REQUESTS.store(0, Ordering::SeqCst);
    COUNTS.store(true, Ordering::SeqCst);
    f();
    COUNTS.store(false, Ordering::SeqCst);
    REQUESTS.load(Ordering::SeqCst)
}

/// Waits until all threads of the pool work: a thread allocates as it starts, which may be late.
fn start_all(cpu: &Cpu) {
    let started = AtomicUsize::new(0);
    cpu.pool().run(cpu.threads(), &|_, _| {
        started.fetch_add(1, Ordering::SeqCst);
        while started.load(Ordering::SeqCst) < cpu.threads() {
            std::thread::yield_now();
        }
    });
}

/// The states of a small network and what a step does with them.
#[derive(Default)]
struct Step {
    states: BTreeMap<StateId, Value>,
    updates: Vec<(StateId, Tensor)>,
}

impl Step {
    fn state(&mut self, name: &str, shape: &[usize], scale: f32) -> (StateId, Tensor) {
        let n = shape.iter().product();
        let elements: Vec<f32> =
            (0..n).map(|i| ((i * 37 % 101) as f32 / 101.0 - 0.5) * scale).collect();
        let id = StateId::fresh();
        self.states.insert(id, Value::new(&elements, shape).unwrap());
        (id, Tensor::state(id, name, DType::F32, shape))
    }

    /// `m ← 0.9 m + g`, `w ← w − 0.1 m`.
    fn momentum(&mut self, (id, w): &(StateId, Tensor), g: &Tensor) {
        let (m_id, m) = self.state("momentum", w.shape().dims(), 0.0);
        let m = m * 0.9 + g;
        self.updates.push((*id, w - &m * 0.1));
        self.updates.push((m_id, m));
    }

    /// Adam without the correction of its bias.
    fn adam(&mut self, (id, w): &(StateId, Tensor), g: &Tensor) {
        let (m_id, m) = self.state("first moment", w.shape().dims(), 0.0);
        let (v_id, v) = self.state("second moment", w.shape().dims(), 0.0);
        let (m, v) = (m * 0.9 + g * 0.1, v * 0.999 + g * g * 0.001);
        self.updates.push((*id, w - &m / (v.sqrt() + 1e-8) * 0.001));
        self.updates.push((m_id, m));
        self.updates.push((v_id, v));
    }
}

/// One test: the requests of another one beside it would be counted too.
#[test]
fn compiled_programs_do_not_allocate() {
    a_training_step_does_not_allocate();
    convolutions_do_not_allocate();
}

fn a_training_step_does_not_allocate() {
    const BATCH: usize = 64;
    let (words, width, hidden, classes) = (100usize, 32usize, 256usize, 10usize);
    let tokens = Tensor::input("tokens", DType::I64, [BATCH, 8]);
    let labels = Tensor::input("labels", DType::I64, [BATCH]);
    let key = Tensor::input("key", DType::I64, [2]);

    let mut step = Step::default();
    let table = step.state("table", &[words, width], 1.0);
    let w1 = step.state("w1", &[hidden, 8 * width], 0.2);
    let b1 = step.state("b1", &[hidden], 0.1);
    let w2 = step.state("w2", &[classes, hidden], 0.2);

    let x = table.1.index_select(0, &tokens).reshape([BATCH, 8 * width]);
    let h = (x.matmul(&w1.1.t()) + &b1.1).relu();
    let heads = h.reshape([4, BATCH / 4, 4, hidden / 4]).transpose(1, 2);
    let options = Attention { scale: 0.125, causal: true };
    let seen = heads.attention(&heads, &heads, None, &options).transpose(1, 2);
    let h = &h + seen.reshape([BATCH, hidden]) * 0.1;
    let kept = Tensor::random_bernoulli(&key, 5, 0.8, h.shape()).cast(DType::F32) / 0.8;
    let z = (h * kept).matmul(&w2.1.t());
    let shifted = &z - z.max(&[-1]).keepdim(&z, &[-1]).detach();
    let logp = &shifted - shifted.exp().sum(&[-1]).log().keepdim(&z, &[-1]);
    let labels_checked = labels.check_range(0, classes as i64, "label");
    let loss = -logp.gather(1, &labels_checked.reshape([BATCH, 1])).mean_all();
    let right = z.argmax(-1).equal(&labels).cast(DType::F32).mean_all();
    let wrt = [&table, &w1, &b1, &w2].map(|p| p.1.clone());
    let g = grad(&loss, &wrt).unwrap();
    step.adam(&table, &g[0]);
    step.momentum(&w1, &g[1]);
    step.momentum(&b1, &g[2]);
    step.adam(&w2, &g[3]);

    let integers =
        |n: usize, of: usize| -> Vec<i64> { (0..n).map(|i| (i * 61 % of) as i64).collect() };
    let tokens_fed = Value::new(&integers(BATCH * 8, words), [BATCH, 8]).unwrap();
    let labels_fed = Value::new(&integers(BATCH, classes), [BATCH]).unwrap();
    let mut key_fed = Value::new(&[1i64, 0], [2]).unwrap();

    let mut results = vec![];
    for threads in [1, 2] {
        let cpu = Cpu::new(threads);
        start_all(&cpu);
        let inputs = [tokens.clone(), labels.clone(), key.clone()];
        let mut program = cpu.compile(&inputs, &[loss.clone(), right.clone()], &step.updates);
        let program = program.as_mut().unwrap();
        assert_eq!(program.slow_ops(), Vec::<&str>::new());
        let mut states = step.states.clone();
        let mut losses = [0.0f64; 53];
        let mut train = |steps: std::ops::Range<usize>| {
            for i in steps {
                key_fed.as_mut_slice::<i64>().unwrap()[1] = i as i64;
                let feeds = [&tokens_fed, &labels_fed, &key_fed];
                let outputs = program.run(cpu.pool(), &feeds, &mut states).unwrap();
                losses[i] = outputs[0].as_slice::<f32>().unwrap()[0] as f64;
            }
        };
        train(0..3);
        let made = requests(|| train(3..53));
        assert_eq!(made, 0, "{made} allocations with {threads} threads");
        assert!(losses[52] < losses[0] * 0.5, "it does not learn: {losses:?}");
        results.push((losses, states));
    }
    assert!(results[0] == results[1], "one thread and two differ");
    // The counter counts.
    assert!(requests(|| drop(std::hint::black_box(vec![1u8; 100]))) > 0);
}

/// Convolutions of every sort and pooling, with their gradients.
fn convolutions_do_not_allocate() {
    let mut step = Step::default();
    let x = Tensor::input("x", DType::F32, [8, 1, 20, 20]);
    let weights = [[16, 1, 3, 3], [16, 16, 3, 3], [16, 1, 3, 3], [8, 16, 3, 3]]
        .map(|shape| step.state("weight", &shape, 0.5).1);
    let same = ConvSpec { padding: vec![[1, 1]; 2], ..ConvSpec::new(2) };
    let depthwise = ConvSpec { groups: 16, ..same.clone() };
    let halved = ConvSpec { stride: vec![2, 2], ..same.clone() };
    let wide = PoolSpec { stride: vec![1, 1], ..PoolSpec::new(&[3, 3]) };
    let h = x.conv(&weights[0], &same).relu().max_pool(&PoolSpec::new(&[2, 2]));
    let h = h.conv(&weights[1], &same).relu().max_pool(&wide);
    let h = h.conv(&weights[2], &depthwise).conv(&weights[3], &halved);
    let loss = h.avg_pool(&PoolSpec::new(&[2, 2]), true).tanh().sum_all();
    let mut outputs = grad(&loss, &weights).unwrap();
    outputs.push(loss);
    let pixels: Vec<f32> = (0..x.numel()).map(|i| (i * 37 % 101) as f32 / 101.0).collect();
    let pixels = Value::new(&pixels, x.shape()).unwrap();
    for threads in [1, 2] {
        let cpu = Cpu::new(threads);
        start_all(&cpu);
        let mut program = cpu.compile(std::slice::from_ref(&x), &outputs, &[]).unwrap();
        assert_eq!(program.slow_ops(), Vec::<&str>::new());
        let mut states = step.states.clone();
        let mut run = || program.run(cpu.pool(), &[&pixels], &mut states).map(|_| ()).unwrap();
        run();
        let made = requests(|| (0..5).for_each(|_| run()));
        assert_eq!(made, 0, "{made} allocations with {threads} threads");
    }
}
