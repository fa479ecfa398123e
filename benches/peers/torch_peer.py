#!/usr/bin/env python3
"""PyTorch's side of the benchmark `peers`: reads `WORKLOAD BATCH THREADS MODE SECONDS` lines, answers each with one
line of JSON: the milliseconds of every step in that time, and the last loss. Needs `pip install torch`.
Modes: eager (the optimizer's defaults), fused (fused=True), channels_last (fused, images with channels last)."""
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_interop_threads(1)


def mlp(sizes):
    layers = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        layers += ([nn.ReLU()] if i else []) + [nn.Linear(a, b)]
    return nn.Sequential(*layers)


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.embedding = nn.Embedding(128, 128)
        self.layers = kind(128, 256, 2, batch_first=True)
        self.output = nn.Linear(256, 128)

    def forward(self, ids):
        return self.output(self.layers(self.embedding(ids))[0]).flatten(0, 1)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        n, t, width = x.shape
        parts = self.qkv(self.norm_1(x)).split(width, 2)
        q, k, v = [p.view(n, t, self.heads, width // self.heads).transpose(1, 2) for p in parts]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.project(y.transpose(1, 2).reshape(n, t, width))
        return x + self.narrow(F.gelu(self.widen(self.norm_2(x))))


class Gpt(nn.Module):
    def __init__(self, vocabulary, length=128, width=256, heads=4, blocks=4):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.randn(length, width))
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(blocks)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, ids):
        x = self.blocks(self.tokens(ids) + self.positions)
        return self.head(self.norm(x)).flatten(0, 1)


def make(workload, batch, mode):
    torch.manual_seed(0)
    fused = {} if mode == "eager" else {"fused": True}
    if workload == "T1":
        net = mlp([784, 512, 256, 10])
        opt = torch.optim.Adam(net.parameters(), lr=1e-3, **fused)
        x, y = torch.rand(batch, 784), torch.arange(batch) * 7 % 10
    elif workload == "T2":
        net = mlp([20, 64, 64, 3])
        opt = torch.optim.SGD(net.parameters(), lr=1e-2, momentum=0.9, **fused)
        x, y = torch.rand(batch, 20), torch.arange(batch) * 7 % 3
    elif workload == "T3":
        net = nn.Sequential(
            *[nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)],
            *[nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)],
            *[nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10)],
        )
        layout = torch.channels_last if mode == "channels_last" else torch.contiguous_format
        net = net.to(memory_format=layout)
        opt = torch.optim.Adam(net.parameters(), lr=1e-3, **fused)
        x = torch.rand(batch, 1, 28, 28).to(memory_format=layout)
        y = torch.arange(batch) * 7 % 10
    elif workload in ("T5", "T5gru"):
        net = Recurrent(nn.LSTM if workload == "T5" else nn.GRU)
        opt = torch.optim.Adam(net.parameters(), lr=1e-3, **fused)
        x, y = torch.randint(128, (2, batch, 64))
        y = y.flatten()
    elif workload == "T6":
        net = Gpt(256)
        opt = torch.optim.AdamW(net.parameters(), lr=3e-4, weight_decay=0.01, **fused)
        x, y = torch.randint(256, (2, batch, 128))
        y = y.flatten()

    def step():
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
        return loss

    return step


print(json.dumps({"torch": torch.__version__}), flush=True)
steps = {}
for line in sys.stdin:
    workload, batch, threads, mode, seconds = line.split()
    torch.set_num_threads(int(threads))
    key = (workload, batch, mode)
    step = steps.setdefault(key, None) or make(workload, int(batch), mode)
    steps[key] = step
    times, begin = [], time.perf_counter()
    while time.perf_counter() - begin < float(seconds):
        start = time.perf_counter()
        loss = step()
        times.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({"times": times, "loss": loss.item()}), flush=True)
