"""Writes recurrent.json and attention.json, the golden numbers of sequence layers, computed by PyTorch in float64.

    pip install torch
    python make_golden_sequence.py

A case holds a layer, its inputs, the padding, its outputs, the gradients of Σ <output, cotangent> by inputs and parameters,
and the parameters after five steps of SGD on it. Inputs and parameters are representable in float32. A tensor is
{"shape": [...], "data": [...]}, with "int": true for int64.
"""

import json
import pathlib

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

HERE = pathlib.Path(__file__).parent
torch.set_default_dtype(torch.float64)
torch.manual_seed(2025)
LR, MOMENTUM, STEPS = 0.02, 0.9, 5


def rand(*shape, scale=1.0):
    """Gaussian numbers that float32 holds exactly."""
    return (torch.randn(*shape, dtype=torch.float32) * scale).double()


def pack(t):
    t = t.detach()
    out = {"shape": list(t.shape), "data": t.flatten().tolist()}
    if not t.is_floating_point():
        out["int"] = True
    return out


def write(name, cases):
    text = json.dumps(cases, separators=(",", ":"), allow_nan=False)
    text = text.replace('},{"', '},\n{"')
    (HERE / f"{name}.json").write_text(text + "\n")
    print(f"{name}.json: {len(text)} bytes")


def case(layer, module, run, inputs, lengths=None):
    """`run(inputs)` gives the outputs of `module`, as the test's own driver does for the layer described by `layer`."""
    module = module.double()
    module.train()
    for p in module.parameters():
        p.data = p.data.float().double()
    found = {"layer": layer, "inputs": [pack(x) for x in inputs],
             "before": {k: pack(v) for k, v in module.named_parameters()}}
    if lengths is not None:
        found["lengths"] = pack(lengths)
    inputs = [x.clone().requires_grad_() for x in inputs]
    outputs = run(inputs)
    cotangents = [rand(*y.shape) for y in outputs]
    found["outputs"] = [pack(y) for y in outputs]
    found["cotangents"] = [pack(g) for g in cotangents]

    def loss(outputs):
        return sum((y * g).sum() for y, g in zip(outputs, cotangents))

    names = [k for k, _ in module.named_parameters()]
    grads = torch.autograd.grad(loss(outputs), inputs + list(module.parameters()))
    found["dinputs"] = [pack(g) for g in grads[: len(inputs)]]
    found["grads"] = {k: pack(g) for k, g in zip(names, grads[len(inputs):])}
    optimizer = torch.optim.SGD(module.parameters(), lr=LR, momentum=MOMENTUM)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss(run(inputs)).backward()
        optimizer.step()
    found["after"] = {k: pack(v) | {"data": [float(f"{x:.9g}") for x in v.flatten().tolist()]}
                      for k, v in module.named_parameters()}
    return found


# Recurrent layers: outputs are the sequence, h at the end and, of an LSTM, c at the end.

def recurrent():
    batch, steps, width, hidden = 3, 5, 2, 3
    kinds = {
        "rnn": lambda **k: nn.RNN(width, hidden, batch_first=True, **k),
        "rnn_relu": lambda **k: nn.RNN(width, hidden, batch_first=True, nonlinearity="relu", **k),
        "lstm": lambda **k: nn.LSTM(width, hidden, batch_first=True, **k),
        "gru": lambda **k: nn.GRU(width, hidden, batch_first=True, **k),
    }
    cases = []
    for name, make in kinds.items():
        for layers, both, lengths, start in [
            (1, False, None, False), (1, False, [5, 2, 3], True), (2, False, None, True),
            (1, True, [1, 5, 4], False), (2, True, [5, 2, 3], True)]:
            module = make(num_layers=layers, bidirectional=both)
            inputs = [rand(batch, steps, width)]
            if start:
                state = (layers * (1 + both), batch, hidden)
                inputs += [rand(*state) for _ in range(2 if name == "lstm" else 1)]
            lens = None if lengths is None else torch.tensor(lengths)

            def run(inputs):
                x, *start = inputs
                start = None if not start else tuple(start) if name == "lstm" else start[0]
                if lens is not None:
                    x = pack_padded_sequence(x, lens, batch_first=True, enforce_sorted=False)
                y, end = module(x, start)
                if lens is not None:
                    y, _ = pad_packed_sequence(y, batch_first=True, total_length=steps)
                return [y, *end] if name == "lstm" else [y, end]

            layer = {"type": name, "layers": layers, "bidirectional": both}
            cases.append(case(layer, module, run, inputs, lens))
    write("recurrent", cases)


# Attention. `lengths` are those of the keys or of the memory.

def ignored(lengths, places):
    return torch.arange(places)[None, :] >= lengths[:, None]


def causal_mask(places):
    return torch.ones(places, places, dtype=torch.bool).triu(1)


def rotate(x):
    """Su et al. 2021, equation 34: numbers 2i and 2i+1 of [..., T, D] are turned by t / 10000^(2i/D)."""
    places, dim = x.shape[-2:]
    theta = torch.arange(places)[:, None] / 10000 ** (torch.arange(0, dim, 2) / dim)
    cos, sin = (f(theta).float().double() for f in (torch.cos, torch.sin))
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = [even * cos - odd * sin, even * sin + odd * cos]
    return torch.stack(turned, -1).flatten(-2)


class Rotary(nn.Module):
    """Causal self-attention with rotary positions, by its formula; parameters as nn.MultiheadAttention's."""

    def __init__(self, dim, heads):
        super().__init__()
        inner = nn.MultiheadAttention(dim, heads)
        self.in_proj_weight, self.in_proj_bias = inner.in_proj_weight, inner.in_proj_bias
        self.out_proj = inner.out_proj
        self.heads = heads

    def forward(self, x):
        n, t, dim = x.shape
        q, k, v = (x @ self.in_proj_weight.T + self.in_proj_bias).chunk(3, -1)
        q, k, v = (y.view(n, t, self.heads, -1).transpose(1, 2) for y in (q, k, v))
        scores = rotate(q) @ rotate(k).transpose(-1, -2) / (dim // self.heads) ** 0.5
        scores = scores.masked_fill(causal_mask(t), float("-inf"))
        return self.out_proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, dim))


def attention():
    batch, places, memory, dim, heads = 2, 4, 5, 4, 2
    cases = []

    def attend(module, lens=None, causal=False):
        for name, p in module.named_parameters():
            if name.endswith("bias"):
                nn.init.normal_(p)
        lens = None if lens is None else torch.tensor(lens)

        def run(inputs):
            q, k, v = inputs if len(inputs) == 3 else (inputs[0], inputs[-1], inputs[-1])
            skip = None if lens is None else ignored(lens, k.shape[1])
            mask = causal_mask(q.shape[1]) if causal else None
            return [module(q, k, v, key_padding_mask=skip, attn_mask=mask, need_weights=False)[0]]

        return run, lens

    mha = lambda: nn.MultiheadAttention(dim, heads, batch_first=True)
    for causal, lens, shapes in [
        (False, None, [places]), (True, None, [places]), (False, [4, 2], [places]), (True, [3, 4], [places]),
        (False, None, [places, memory]), (False, [5, 1], [places, memory]), (False, None, [places, memory, memory])]:
        module = mha()
        run, packed = attend(module, lens, causal)
        inputs = [rand(batch, t, dim) for t in shapes]
        cases.append(case({"type": "attention", "heads": heads, "causal": causal}, module, run, inputs, packed))
    module = Rotary(8, 2)
    cases.append(case({"type": "attention", "heads": 2, "causal": True, "rotary": True}, module,
                      lambda x: [module(x[0])], [rand(batch, places, 8)]))

    def scattered(module):
        for name, p in module.named_parameters():
            if "norm" in name or name.endswith("in_proj_bias") or name.endswith("out_proj.bias"):
                p.data = p.data + rand(*p.shape, scale=0.3)
        return module

    def options(first, gelu):
        return {"dim_feedforward": 6, "dropout": 0.0, "batch_first": True, "norm_first": first,
                "activation": "gelu" if gelu else "relu"}

    for kind, first, gelu, causal, lens in [
        ("encoder_layer", False, False, False, None), ("encoder_layer", True, True, True, None),
        ("encoder_layer", False, True, False, [2, 4]), ("encoder", True, True, True, None),
        ("encoder", False, False, False, [4, 3])]:
        layer = nn.TransformerEncoderLayer(dim, heads, **options(first, gelu))
        if kind == "encoder":
            layer = nn.TransformerEncoder(layer, 2, nn.LayerNorm(dim) if first else None, enable_nested_tensor=False)
        module = scattered(layer)
        packed = None if lens is None else torch.tensor(lens)

        def run(inputs):
            skip = None if packed is None else ignored(packed, places)
            mask = {"src_mask" if kind == "encoder_layer" else "mask": causal_mask(places) if causal else None}
            return [module(inputs[0], src_key_padding_mask=skip, **mask)]

        layer = {"type": kind, "heads": heads, "causal": causal, "norm_first": first, "gelu": gelu}
        cases.append(case(layer, module, run, [rand(batch, places, dim)], packed))

    for first, gelu, lens in [(False, False, None), (True, True, [5, 2])]:
        module = scattered(nn.TransformerDecoderLayer(dim, heads, **options(first, gelu)))
        packed = None if lens is None else torch.tensor(lens)

        def run(inputs):
            skip = None if packed is None else ignored(packed, memory)
            return [module(*inputs, tgt_mask=causal_mask(places), memory_key_padding_mask=skip)]

        layer = {"type": "decoder_layer", "heads": heads, "norm_first": first, "gelu": gelu}
        cases.append(case(layer, module, run, [rand(batch, places, dim), rand(batch, memory, dim)], packed))
    write("attention", cases)


recurrent()
attention()
