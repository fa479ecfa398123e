"""Writes the golden numbers of the tests beside it, computed by PyTorch in float64.

    pip install torch
    python make_golden.py

Inputs are representable in float32, so that the same numbers serve f64 and f32. Each file is a JSON object or
list; a tensor is {"shape": [...], "data": [...]}, with "int": true for int64.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent
torch.set_default_dtype(torch.float64)
torch.manual_seed(2024)


def rand(*shape, scale=1.0):
    """Gaussian numbers that float32 holds exactly."""
    return (torch.randn(*shape, dtype=torch.float32) * scale).double()


def single(x):
    return torch.tensor(x, dtype=torch.float32).double()


def pack(t):
    t = t.detach()
    out = {"shape": list(t.shape), "data": t.flatten().tolist()}
    if not t.is_floating_point():
        out["int"] = True
    return out


def write(name, data):
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    text = text.replace('},{"', '},\n{"')
    (HERE / f"{name}.json").write_text(text + "\n")
    print(f"{name}.json: {len(text)} bytes")


# Activations: y = f(x), the gradients of <y, g>, and ddx, the gradient of <dx, h>.

POINTS = single(
    [0.0, 1e-6, -1e-6, 1e-3, -1e-3, 0.1, -0.1, 0.5, -0.5, 0.75, -0.75, 1.0, -1.0, 1.5, -1.5, 2.0, -2.0,
     3.0, -3.0, 5.0, -5.0, 8.0, -8.0, 12.0, -12.0, 30.0, -30.0, 80.0, -80.0, 1000.0, -1000.0, -0.0]
)


def softplus(x):
    # Beyond its threshold PyTorch's takes x itself, by default from 20 on, where float64 knows better.
    return F.softplus(x, threshold=600)


def activation(name, f, x, args=None, weight=None):
    x = x.clone().requires_grad_()
    leaves = [x]
    if weight is not None:
        weight = weight.clone().requires_grad_()
        leaves.append(weight)
    y = f(x) if weight is None else f(x, weight)
    g = rand(*y.shape)
    grads = torch.autograd.grad((y * g).sum(), leaves, create_graph=True)
    h = rand(*x.shape)
    slope = (grads[0] * h).sum()
    ddx = torch.autograd.grad(slope, x, materialize_grads=True)[0] if slope.requires_grad else torch.zeros_like(x)
    case = {"name": name, "args": args or [], "x": pack(x), "g": pack(g), "h": pack(h), "y": pack(y), "dx": pack(grads[0]), "ddx": pack(ddx)}
    if weight is not None:
        case |= {"weight": pack(weight), "dweight": pack(grads[1])}
    return case


def activations():
    rows = torch.cat([rand(4, 6, scale=3.0), single([[1e4, 0, -1e4, 5, 5, 5]]), torch.zeros(1, 6)])
    block = rand(2, 3, 4)
    channels = rand(2, 3, 4)
    channels[0, 1, 2] = 0.0
    cases = [activation(n, f, POINTS) for n, f in [
        ("relu", F.relu), ("sigmoid", torch.sigmoid), ("tanh", torch.tanh), ("softplus", softplus),
        ("gelu", F.gelu), ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh")), ("silu", F.silu),
        ("log_sigmoid", F.logsigmoid)]]
    cases += [activation("leaky_relu", lambda x, a=a: F.leaky_relu(x, a), POINTS, [a]) for a in (0.01, 0.3)]
    cases += [activation("elu", lambda x, a=a: F.elu(x, a), POINTS, [a]) for a in (1.0, 0.5)]
    cases += [activation("prelu", F.prelu, POINTS.reshape(16, 2), weight=single([0.25])),
              activation("prelu", F.prelu, channels, weight=single([0.25, -0.5, 2.0]))]
    for name, f in (("softmax", F.softmax), ("log_softmax", F.log_softmax)):
        cases += [activation(name, lambda x, a=a: f(x, a), x, [a]) for x, a in
                  ((rows, 1), (rows, -1), (rows, 0), (block, 1), (single([0.5, 2.0, -1.0]), 0))]
    write("activations", cases)


# Losses: the value and its gradient with respect to the prediction. `loss` is a Loss as thalweg's configs spell it.

def loss_case(config, f, prediction, target):
    z = prediction.clone().requires_grad_()
    value = f(z, target)
    (grad,) = torch.autograd.grad(value, z)
    return {"loss": config, "prediction": pack(prediction), "target": pack(target), "value": value.item(), "grad": pack(grad)}


def reduced(losses, reduction):
    return {"mean": losses.mean(), "sum": losses.sum(), "per_sample": losses.sum() / losses.shape[0]}[reduction]


def smooth(y, epsilon, classes):
    return y * (1 - epsilon) + epsilon / classes


def focal_reference(z, target, gamma, alpha, epsilon):
    """The definition, by autograd; the naive power is safe on these inputs."""
    log_p = F.log_softmax(z, 1)
    classes = z.shape[1]
    y = F.one_hot(target, classes).double() if not target.is_floating_point() else target
    terms = -((-torch.expm1(log_p)) ** gamma) * log_p
    if alpha is not None:
        terms = terms * single(alpha)
    return (smooth(y, epsilon, classes) * terms).sum() / z.shape[0]


def binary_focal_reference(z, y, gamma, alpha, epsilon):
    """torchvision.ops.sigmoid_focal_loss."""
    y = smooth(y, epsilon, 2)
    p = torch.sigmoid(z)
    losses = y * (1 - p) ** gamma * F.softplus(-z) * (alpha if alpha is not None else 1)
    losses = losses + (1 - y) * p ** gamma * F.softplus(z) * (1 - alpha if alpha is not None else 1)
    return losses.mean()


def losses():
    cases = []
    p, t = rand(4, 3), rand(4, 3)
    p[1, 2] = t[1, 2]
    for r in ("mean", "per_sample", "sum"):
        cases += [loss_case({"type": "mse", "reduction": r}, lambda z, t: reduced((z - t) ** 2, r), p, t),
                  loss_case({"type": "mae", "reduction": r}, lambda z, t: reduced((z - t).abs(), r), p, t)]
    for delta in (1.0, 0.5):
        cases.append(loss_case({"type": "huber", "delta": delta}, lambda z, t: F.huber_loss(z, t, delta=delta), p, t))
    cases.append(loss_case({"type": "mse"}, F.mse_loss, p, t))
    cases.append(loss_case({"type": "mae"}, F.l1_loss, p, t))

    z = torch.cat([rand(5, 4, scale=2.0), single([[100, 0, -100, 1]]), torch.zeros(1, 4)])
    y = torch.tensor([0, 3, 1, 2, 0, 2, 1])
    ignoring = torch.tensor([0, -100, 1, 2, -100, 2, 1])
    shares = torch.softmax(rand(7, 4), 1).float().double()
    weight = [0.5, 1.0, 2.0, 0.25]
    deep, deep_y = rand(2, 3, 2, 2), torch.randint(0, 3, (2, 2, 2))
    w = single(weight)

    def ce(target=y, logits=z, **options):
        config = {"type": "cross_entropy"} | {k: v for k, v in options.items() if v is not None}
        args = {k: options[k] for k in ("label_smoothing", "ignore_index", "reduction") if k in options}
        if "weight" in options:
            args["weight"] = single(options["weight"])
        cases.append(loss_case(config, lambda z, t: F.cross_entropy(z, t, **args), logits, target))

    ce()
    ce(reduction="sum")
    ce(weight=weight)
    ce(weight=weight, reduction="sum")
    ce(label_smoothing=0.1)
    ce(label_smoothing=0.1, weight=weight)
    ce(ignoring, ignore_index=-100)
    ce(ignoring, ignore_index=-100, weight=weight, label_smoothing=0.2)
    ce(y, ignore_index=2, reduction="sum")
    ce(shares)
    ce(shares, weight=weight)
    ce(shares, label_smoothing=0.1)
    ce(shares, label_smoothing=0.1, weight=weight, reduction="sum")
    ce(deep_y, deep)
    ce(deep_y, deep, weight=weight[:3], label_smoothing=0.1, ignore_index=1)
    ce(torch.softmax(rand(2, 3, 2, 2), 1).float().double(), deep)
    ce(torch.tensor(2), rand(4))

    b = torch.cat([rand(4, 3, scale=3.0), single([[0.0, 30.0, -30.0]])])
    hard = (rand(5, 3) > 0).double()
    soft = torch.rand(5, 3, dtype=torch.float32).double()

    def bce(target, pos_weight=None, epsilon=0.0, **options):
        config = {"type": "binary_cross_entropy"} | options
        if pos_weight is not None:
            config["pos_weight"] = pos_weight
        if epsilon:
            config["label_smoothing"] = epsilon
        cases.append(loss_case(config, lambda z, t: F.binary_cross_entropy_with_logits(
            z, smooth(t.double(), epsilon, 2), pos_weight=None if pos_weight is None else single(pos_weight), **options), b, target))

    bce(hard)
    bce(hard.long())
    bce(soft)
    bce(soft, reduction="sum")
    bce(hard, [3.0])
    bce(soft, [3.0, 0.5, 1.0])
    bce(hard, epsilon=0.1)

    mild = rand(5, 4, scale=2.0)
    labels = torch.tensor([0, 3, 1, 2, 2])
    shares = torch.softmax(rand(5, 4), 1).float().double()
    for gamma, alpha, epsilon, target in [
        (2.0, None, 0.0, labels), (0.0, None, 0.0, labels), (0.5, None, 0.0, labels), (1.0, None, 0.0, labels),
        (5.0, None, 0.0, labels), (2.0, weight, 0.0, labels), (2.0, None, 0.1, labels), (1.5, weight, 0.1, labels),
        (2.0, None, 0.0, shares), (0.5, weight, 0.1, shares), (0.0, weight, 0.0, labels)]:
        config = {"type": "focal", "gamma": gamma, "label_smoothing": epsilon}
        if alpha is not None:
            config["alpha"] = alpha
        cases.append(loss_case(config, lambda z, t: focal_reference(z, t, gamma, alpha, epsilon), mild, target))
    cases.append(loss_case({"type": "focal"}, lambda z, t: focal_reference(z, t, 2.0, None, 0.0), mild, labels))
    b = rand(5, 3, scale=2.0)
    b[0, 0] = 0.0
    for gamma, alpha, epsilon, target in [
        (2.0, None, 0.0, hard), (0.0, None, 0.0, hard), (0.5, None, 0.0, hard), (2.0, 0.25, 0.0, hard),
        (2.0, 0.25, 0.1, hard), (1.5, None, 0.0, soft), (2.0, 0.75, 0.0, hard.long()), (0.0, 0.25, 0.0, soft)]:
        config = {"type": "binary_focal", "gamma": gamma, "label_smoothing": epsilon}
        if alpha is not None:
            config["alpha"] = alpha
        cases.append(loss_case(config, lambda z, t: binary_focal_reference(z, t.double(), gamma, alpha, epsilon), b, target))

    log_q = F.log_softmax(rand(3, 4), 1).float().double()
    q = torch.softmax(rand(3, 4), 1).float().double()
    q[1] = single([0.0, 0.5, 0.5, 0.0])
    for config, options in (({}, {}), ({"reduction": "per_sample"}, {"reduction": "batchmean"}), ({"reduction": "sum"}, {"reduction": "sum"})):
        cases.append(loss_case({"type": "kl_div"} | config, lambda z, t: F.kl_div(z, t, **({"reduction": "mean"} | options)), log_q, q))
    cases.append(loss_case({"type": "kl_div", "log_target": True}, lambda z, t: F.kl_div(z, t, reduction="mean", log_target=True),
                           log_q, F.log_softmax(rand(3, 4), 1).float().double()))

    a, c = rand(4, 5), rand(4, 5)
    for r in ("mean", "sum"):
        cases.append(loss_case({"type": "cosine_embedding", "reduction": r},
                               lambda z, t: F.cosine_embedding_loss(z, t, torch.ones(4, dtype=torch.long), reduction=r), a, c))
    write("losses", cases)

    c[1] = a[1] + 0.1 * c[1].float().double()
    c = c.float().double()
    pairs = torch.tensor([1, -1, -1, 1])
    x = a.clone().requires_grad_()
    value = F.cosine_embedding_loss(x, c, pairs, margin=0.25)
    (grad,) = torch.autograd.grad(value, x)
    write("cosine", {"a": pack(a), "b": pack(c), "labels": pack(pairs), "margin": 0.25, "value": value.item(), "grad": pack(grad)})


# Optimizers: five steps on a small network. `updater` is an Updater as thalweg's configs spell it.

def optimizers():
    x, y = rand(6, 2), rand(6, 3)
    w0, b0 = rand(3, 2), rand(3)
    cases = []

    def case(make, config, lr, groups=None, scale=None, bias_decay=None, clip_norm=None, clip_value=None, frozen=False, max_norm=None):
        w, b = w0.clone().requires_grad_(), b0.clone().requires_grad_(not frozen)
        of_bias = {"params": [b]}
        if scale is not None:
            of_bias["lr"] = lr * scale
        if bias_decay is not None:
            of_bias["weight_decay"] = bias_decay
        optimizer = make([{"params": [w]}] + ([] if frozen else [of_bias]), lr)
        updater = {"optimizer": config}
        if groups:
            updater["groups"] = groups
        if clip_norm is not None:
            updater["clip_norm"] = clip_norm
        if clip_value is not None:
            updater["clip_value"] = clip_value
        steps = []
        for _ in range(5):
            optimizer.zero_grad()
            loss = F.mse_loss(torch.tanh(x @ w.T + b), y)
            loss.backward()
            trained = [p for p in (w, b) if p.requires_grad]
            norm = math.sqrt(sum((p.grad ** 2).sum().item() for p in trained))
            if clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(trained, clip_norm)
            if clip_value is not None:
                torch.nn.utils.clip_grad_value_(trained, clip_value)
            optimizer.step()
            if max_norm is not None:
                w.data = torch.renorm(w.data, 2, 0, max_norm)
            steps.append({"norm": norm, "w": w.flatten().tolist(), "b": b.flatten().tolist()})
        cases.append({"updater": updater, "lr": lr, "steps": steps})

    O = torch.optim
    sgd = lambda **k: lambda p, lr: O.SGD(p, lr=lr, **k)
    adam = lambda **k: lambda p, lr: O.Adam(p, lr=lr, **k)
    adamw = lambda **k: lambda p, lr: O.AdamW(p, lr=lr, **k)
    rms = lambda **k: lambda p, lr: O.RMSprop(p, lr=lr, **k)
    case(sgd(), {"type": "sgd"}, 0.5)
    case(sgd(weight_decay=0.1), {"type": "sgd", "weight_decay": 0.1}, 0.5)
    case(sgd(momentum=0.9), {"type": "sgd", "momentum": 0.9}, 0.5)
    case(sgd(momentum=0.9, weight_decay=0.1), {"type": "sgd", "momentum": 0.9, "weight_decay": 0.1}, 0.5)
    case(sgd(momentum=0.9, nesterov=True), {"type": "sgd", "momentum": 0.9, "nesterov": True}, 0.5)
    case(sgd(momentum=0.9, nesterov=True, weight_decay=0.1),
         {"type": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}, 0.5)
    case(sgd(momentum=0.9, dampening=0.5), {"type": "sgd", "momentum": 0.9, "dampening": 0.5}, 0.5)
    case(adam(), {"type": "adam"}, 0.1)
    case(adam(betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1),
         {"type": "adam", "betas": [0.8, 0.9], "eps": 1e-3, "weight_decay": 0.1}, 0.1)
    case(adamw(), {"type": "adamw"}, 0.1)
    case(adamw(weight_decay=0.5), {"type": "adamw", "weight_decay": 0.5}, 0.1)
    case(rms(), {"type": "rmsprop"}, 0.05)
    case(rms(alpha=0.9, momentum=0.9), {"type": "rmsprop", "alpha": 0.9, "momentum": 0.9}, 0.05)
    case(rms(centered=True), {"type": "rmsprop", "centered": True}, 0.05)
    case(rms(alpha=0.9, centered=True, momentum=0.5, eps=1e-4, weight_decay=0.1),
         {"type": "rmsprop", "alpha": 0.9, "centered": True, "momentum": 0.5, "eps": 1e-4, "weight_decay": 0.1}, 0.05)
    case(sgd(momentum=0.9), {"type": "sgd", "momentum": 0.9}, 0.5, clip_norm=0.3)
    case(adam(), {"type": "adam"}, 0.1, clip_norm=0.3)
    case(sgd(), {"type": "sgd"}, 0.5, clip_norm=100.0)
    case(sgd(), {"type": "sgd"}, 0.5, clip_value=0.1)
    case(adamw(weight_decay=0.5), {"type": "adamw", "weight_decay": 0.5}, 0.1,
         groups=[{"pattern": "*.bias", "weight_decay": 0.0}], bias_decay=0.0)
    case(sgd(), {"type": "sgd"}, 0.5, groups=[{"pattern": "*.bias", "lr_scale": 0.25}], scale=0.25)
    case(adam(), {"type": "adam"}, 0.1, groups=[{"pattern": "*.bias", "frozen": True}], frozen=True, clip_norm=0.3)
    case(sgd(momentum=0.9), {"type": "sgd", "momentum": 0.9}, 0.5, groups=[{"pattern": "*", "max_norm": 0.75}], max_norm=0.75)
    write("optimizers", {"x": pack(x), "y": pack(y), "w": pack(w0), "b": pack(b0), "cases": cases})


# Schedules: the rate of each step.

def schedules():
    S = torch.optim.lr_scheduler
    cases = []

    def case(config, base, steps, make):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
        scheduler = make(optimizer)
        rates = []
        for i in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if i + 1 < steps:
                scheduler.step()
        cases.append({"schedule": config, "base": base, "total": steps, "rates": rates})

    case({"type": "constant"}, 0.1, 3, lambda o: S.ConstantLR(o, factor=1.0))
    case({"type": "step", "every": 3}, 0.1, 10, lambda o: S.StepLR(o, 3))
    case({"type": "step", "every": 4, "gamma": 0.5}, 0.1, 10, lambda o: S.StepLR(o, 4, 0.5))
    case({"type": "multi_step", "milestones": [2, 5, 6], "gamma": 0.5}, 0.1, 10, lambda o: S.MultiStepLR(o, [2, 5, 6], 0.5))
    case({"type": "exponential", "gamma": 0.9}, 0.1, 8, lambda o: S.ExponentialLR(o, 0.9))
    case({"type": "cosine"}, 0.1, 12, lambda o: S.CosineAnnealingLR(o, 12))
    case({"type": "cosine", "min": 0.01, "total": 8}, 0.1, 9, lambda o: S.CosineAnnealingLR(o, 8, 0.01))
    rise = lambda o, n: S.LinearLR(o, start_factor=1 / n, end_factor=1.0, total_iters=n - 1)
    case({"type": "warmup", "steps": 4}, 0.1, 8, lambda o: rise(o, 4))
    case({"type": "warmup", "steps": 4, "then": {"type": "cosine", "min": 0.001}}, 0.1, 14,
         lambda o: S.SequentialLR(o, [rise(o, 4), S.CosineAnnealingLR(o, 10, 0.001)], [4]))
    cycle = lambda o, n, **k: S.OneCycleLR(o, max_lr=0.1, total_steps=n, cycle_momentum=False, **k)
    case({"type": "one_cycle"}, 0.1, 20, lambda o: cycle(o, 20))
    case({"type": "one_cycle", "max": 0.1, "pct_start": 0.25, "div": 10.0, "final_div": 100.0}, 0.1, 13,
         lambda o: cycle(o, 13, pct_start=0.25, div_factor=10.0, final_div_factor=100.0))
    cases[-1]["base"] = 0.7

    plateaus = []

    def plateau(config, base, metrics, **options):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
        scheduler = S.ReduceLROnPlateau(optimizer, **options)
        rates = []
        for metric in metrics:
            scheduler.step(metric)
            rates.append(optimizer.param_groups[0]["lr"])
        plateaus.append({"options": config, "base": base, "metrics": metrics, "rates": rates})

    falling = [1.0, 0.8, 0.8, 0.79999, 0.81, 0.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    plateau({"patience": 2}, 0.1, falling, patience=2)
    plateau({"patience": 0, "factor": 0.5, "min_lr": 0.01}, 0.1, falling, patience=0, factor=0.5, min_lr=0.01)
    plateau({"patience": 1, "mode": "max", "threshold": 0.1}, 0.1, [0.1, 0.5, 0.52, 0.54, 0.56, 0.58, 0.6, 0.6, 0.6],
            patience=1, mode="max", threshold=0.1)
    plateau({}, 0.1, [1.0] * 13)
    write("schedules", {"schedules": cases, "plateaus": plateaus})


# Layers: the output, the gradients of <y, g>, and the buffers afterwards.

def layers():
    cases = []

    def case(name, module, x, args, train=True, steps=1, kind=None):
        module = module.double()
        module.train(train)
        for p in module.parameters():
            p.data = p.data.float().double()
        before = {k: pack(v) for k, v in module.state_dict().items()}
        x = x.clone()
        if x.is_floating_point():
            x.requires_grad_()
        for _ in range(steps):
            y = module(x)
        g = rand(*y.shape)
        wrt = ([x] if x.is_floating_point() else []) + list(module.parameters())
        grads = torch.autograd.grad((y * g).sum(), wrt)
        found = {"name": name, "args": args, "train": train, "steps": steps, "x": pack(x), "g": pack(g), "y": pack(y), "before": before,
                 "after": {k: pack(v) for k, v in module.named_buffers()}}
        if x.is_floating_point():
            found["dx"] = pack(grads[0])
            grads = grads[1:]
        found["grads"] = {k: pack(v) for (k, _), v in zip(module.named_parameters(), grads)}
        cases.append(found)

    nn = torch.nn
    case("linear", nn.Linear(3, 4), rand(5, 3), [3, 4])
    case("linear", nn.Linear(3, 4), rand(2, 5, 3), [3, 4])
    case("linear", nn.Linear(3, 4, bias=False), rand(5, 3), [3, 4])

    def norm(make, *args):
        layer = make(*args)
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
        return layer

    for train, steps in ((True, 1), (True, 3), (False, 1)):
        layer = norm(nn.BatchNorm1d, 3)
        layer.running_mean.copy_(rand(3))
        layer.running_var.copy_(rand(3).abs() + 0.5)
        layer.running_var.copy_(layer.running_var.float().double())
        case("batch_norm1d", layer, single((rand(6, 3, scale=2.0) + 1.0).tolist()), [3], train, steps)
    case("batch_norm1d", norm(nn.BatchNorm1d, 3), rand(2, 3, 4), [3])
    case("batch_norm1d", norm(nn.BatchNorm1d, 3), rand(2, 3, 4), [3], train=False)
    case("layer_norm", norm(nn.LayerNorm, 5), rand(4, 5, scale=2.0), [5])
    case("layer_norm", norm(nn.LayerNorm, (3, 4)), rand(2, 3, 4), [3, 4])
    case("embedding", nn.Embedding(6, 3), torch.tensor([[1, 5, 1], [0, 2, 1]]), [6, 3])
    case("embedding_padded", nn.Embedding(6, 3, padding_idx=2), torch.tensor([2, 5, 2, 0]), [6, 3, 2])
    write("layers", cases)


if __name__ == "__main__":
    activations()
    losses()
    optimizers()
    schedules()
    layers()
