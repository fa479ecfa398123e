"""Writes vision.json, the golden numbers of the layers over space, computed by PyTorch in float64.

    pip install torch
    python make_vision.py

A case is a layer as thalweg's configs spell it, with the output, the gradients of <y, g>, and the state after five steps
of SGD (learning rate 0.1, momentum 0.9) on the mean square of y - g.
"""

import torch

from make_golden import F, pack, write

torch.manual_seed(7)
nn = torch.nn
CASES = []


def short(*shape):
    """Numbers of few digits, so that the file is small; float32 holds them exactly."""
    return torch.randint(-96, 97, shape).double() / 32


def brief(t):
    """Computed numbers, to 15 digits."""
    packed = pack(t)
    packed["data"] = [float(f"{x:.15g}") for x in packed["data"]]
    return packed


def case(layer, module, x, train=True):
    module = module.double().train(train)
    for name, p in module.named_parameters():
        p.data = short(*p.shape) / 2
    for name, b in module.named_buffers():
        if name.endswith("running_mean"):
            b.copy_(short(*b.shape))
        elif name.endswith("running_var"):
            b.copy_(short(*b.shape).abs() + 0.5)
    before = {k: pack(v) for k, v in module.state_dict().items()}
    x = x.clone().requires_grad_()
    y = module(x)
    g = short(*y.shape)
    wrt = [x] + list(module.parameters())
    grads = torch.autograd.grad((y * g).sum(), wrt)
    found = {"layer": layer, "train": train, "x": pack(x), "g": pack(g), "y": brief(y), "before": before, "dx": brief(grads[0]),
             "grads": {k: brief(v) for (k, _), v in zip(module.named_parameters(), grads[1:])}}
    module.load_state_dict({k: torch.tensor(v["data"], dtype=torch.int64 if v.get("int") else torch.float64).reshape(v["shape"])
                            for k, v in before.items()})
    if before:
        parameters = list(module.parameters())
        optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9) if parameters else None
        for _ in range(5):
            loss = F.mse_loss(module(x.detach()), g)
            if optimizer:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        found["after"] = {k: brief(v) for k, v in module.state_dict().items()}
    CASES.append(found)


def convolutions():
    def conv(axes, i, o, kernel, x, **options):
        config = {"type": f"conv{axes}d", "out": o, "kernel": kernel} | options
        kernel = kernel if isinstance(kernel, int) else tuple(kernel)
        options = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        case(config, getattr(nn, f"Conv{axes}d")(i, o, kernel, **options), x)

    conv(1, 2, 3, 3, short(2, 2, 7))
    conv(1, 2, 2, 4, short(2, 2, 9), stride=3, padding=2, dilation=2)
    conv(1, 1, 2, 4, short(1, 1, 5), padding="same")
    conv(1, 4, 6, 3, short(2, 4, 6), padding="same", dilation=2, groups=2, bias=False)
    conv(2, 2, 3, 3, short(2, 2, 5, 6))
    conv(2, 1, 2, [3, 2], short(2, 1, 6, 5), stride=[2, 1], padding=[1, 0])
    conv(2, 3, 2, 3, short(1, 3, 6, 7), stride=3, padding=2, dilation=[2, 1])
    conv(2, 3, 6, 3, short(2, 3, 5, 5), padding=1, groups=3)
    conv(2, 4, 2, 2, short(1, 4, 4, 4), padding="same", groups=2)
    conv(2, 2, 3, 1, short(2, 2, 3, 3), bias=False)
    conv(2, 1, 2, 5, short(1, 1, 5, 5), padding="valid")
    conv(3, 2, 2, 2, short(1, 2, 3, 4, 3))
    conv(3, 1, 2, [1, 3, 2], short(1, 1, 2, 5, 4), stride=[1, 2, 1], padding=[0, 1, 1], dilation=[1, 1, 2])
    conv(3, 2, 2, 2, short(1, 2, 2, 3, 3), padding="same", groups=2)


def transposed():
    def conv(axes, i, o, kernel, x, **options):
        config = {"type": f"conv_transpose{axes}d", "out": o, "kernel": kernel} | options
        kernel = kernel if isinstance(kernel, int) else tuple(kernel)
        options = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        case(config, getattr(nn, f"ConvTranspose{axes}d")(i, o, kernel, **options), x)

    conv(1, 2, 3, 3, short(2, 2, 4))
    conv(1, 2, 4, 3, short(1, 2, 4), stride=3, padding=1, output_padding=2, dilation=2, groups=2)
    conv(2, 2, 3, 2, short(2, 2, 3, 2), stride=2)
    conv(2, 2, 1, 3, short(1, 2, 3, 4), stride=2, padding=1, output_padding=1)
    conv(2, 2, 2, [3, 2], short(1, 2, 3, 3), stride=[2, 3], padding=[1, 0], output_padding=[0, 1], dilation=[1, 2], bias=False)
    conv(2, 4, 4, 3, short(1, 4, 3, 3), padding=1, groups=4)
    conv(3, 1, 2, 2, short(1, 1, 2, 3, 2), stride=2)


def pools():
    def window(name, module, x, kernel, **options):
        axes = x.dim() - 2
        config = {"type": f"{name}_pool{axes}d", "kernel": kernel} | {{"ceil_mode": "ceil"}.get(k, k): v for k, v in options.items()}
        tuples = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        case(config, getattr(nn, f"{module}Pool{axes}d")(kernel if isinstance(kernel, int) else tuple(kernel), **tuples), x)

    flat = short(1, 1, 4, 4)
    flat[0, 0, :2, :2] = 1.5
    window("max", "Max", flat, 2)
    window("max", "Max", short(2, 2, 7, 6), 3, stride=2, padding=1)
    window("max", "Max", short(1, 2, 7, 7), 2, stride=3, ceil_mode=True)
    window("max", "Max", short(1, 2, 6, 5), [3, 2], stride=[1, 2], padding=[1, 0], dilation=[2, 1], ceil_mode=True)
    window("max", "Max", short(2, 2, 9), 2, stride=3)
    window("max", "Max", short(1, 1, 4, 5, 4), 2, stride=[1, 2, 2])
    window("avg", "Avg", short(1, 2, 4, 4), 2)
    window("avg", "Avg", short(2, 1, 6, 7), 3, stride=2, padding=1)
    window("avg", "Avg", short(2, 1, 6, 7), 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)
    window("avg", "Avg", short(1, 1, 7, 7), [3, 2], stride=[2, 3], padding=1, ceil_mode=True)
    window("avg", "Avg", short(2, 2, 8), 3, stride=2, padding=1)
    window("avg", "Avg", short(1, 1, 3, 4, 5), 2, stride=1)
    for size, x in ((3, short(2, 2, 7)), (2, short(1, 2, 5, 4)), ([3, 5], short(1, 1, 7, 3)), (1, short(2, 3, 4, 4)), (2, short(1, 1, 3, 4, 5))):
        axes, shape = x.dim() - 2, size if isinstance(size, int) else tuple(size)
        case({"type": f"adaptive_avg_pool{axes}d", "size": size}, getattr(nn, f"AdaptiveAvgPool{axes}d")(shape), x)
        case({"type": f"adaptive_max_pool{axes}d", "size": size}, getattr(nn, f"AdaptiveMaxPool{axes}d")(shape), x)
    case({"type": "global_avg_pool"}, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), short(2, 3, 3, 4))
    case({"type": "global_max_pool"}, nn.Sequential(nn.AdaptiveMaxPool1d(1), nn.Flatten()), torch.randperm(30).reshape(2, 3, 5).double())


def upsampling():
    def up(x, config, **options):
        case({"type": "upsample"} | config, nn.Upsample(**options), x)

    x = short(1, 2, 3, 4)
    up(x, {"scale": 2}, scale_factor=2)
    up(x, {"size": [5, 7]}, size=(5, 7))
    up(x, {"scale": [2, 3], "mode": "bilinear"}, scale_factor=(2, 3), mode="bilinear")
    up(x, {"scale": 2, "mode": "bilinear", "align_corners": True}, scale_factor=2, mode="bilinear", align_corners=True)
    up(x, {"size": [7, 3], "mode": "bilinear"}, size=(7, 3), mode="bilinear")
    up(short(2, 1, 5), {"scale": 3, "mode": "linear"}, scale_factor=3, mode="linear")
    up(short(2, 1, 5), {"size": 2}, size=2)
    up(short(1, 1, 2, 3, 2), {"scale": 2, "mode": "trilinear"}, scale_factor=2, mode="trilinear")


def norms():
    for train in (True, False):
        case({"type": "batch_norm1d"}, nn.BatchNorm1d(3), short(5, 3), train)
        case({"type": "batch_norm2d"}, nn.BatchNorm2d(3), short(2, 3, 3, 2), train)
        case({"type": "batch_norm3d", "eps": 0.01, "momentum": 0.3}, nn.BatchNorm3d(2, eps=0.01, momentum=0.3), short(2, 2, 2, 2, 3), train)
    case({"type": "batch_norm2d", "affine": False}, nn.BatchNorm2d(2, affine=False), short(3, 2, 2, 2))
    case({"type": "group_norm", "groups": 2}, nn.GroupNorm(2, 4), short(2, 4, 3, 2))
    case({"type": "group_norm", "groups": 1, "eps": 0.01}, nn.GroupNorm(1, 3, eps=0.01), short(2, 3, 4))
    case({"type": "group_norm", "groups": 3}, nn.GroupNorm(3, 6), short(3, 6))
    case({"type": "group_norm", "groups": 4, "affine": False}, nn.GroupNorm(4, 4, affine=False), short(2, 4, 2, 2, 2))
    case({"type": "instance_norm1d"}, nn.InstanceNorm1d(2), short(2, 2, 6))
    case({"type": "instance_norm2d", "affine": True}, nn.InstanceNorm2d(3, affine=True), short(2, 3, 3, 2))
    case({"type": "instance_norm2d", "affine": True}, nn.InstanceNorm2d(3, affine=True), short(2, 3, 3, 2), train=False)
    case({"type": "instance_norm3d", "eps": 0.01}, nn.InstanceNorm3d(2, eps=0.01), short(1, 2, 2, 2, 2))


convolutions()
transposed()
pools()
upsampling()
norms()
write("vision", CASES)
