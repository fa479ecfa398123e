#!/usr/bin/env python3
"""PyTorch's side of the benchmark `peers`: reads `WORKLOAD BATCH THREADS MODE SECONDS` lines, answers each with one
line of JSON: the milliseconds of every step in that time, and the last loss. Needs `pip install torch`.
Modes: eager (the optimizer's defaults), fused (fused=True)."""
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


def make(workload, batch, mode):
    torch.manual_seed(0)
    fused = {"fused": True} if mode == "fused" else {}
    if workload == "T1":
        net = mlp([784, 512, 256, 10])
        opt = torch.optim.Adam(net.parameters(), lr=1e-3, **fused)
        x, classes = torch.rand(batch, 784), 10
    elif workload.startswith("T5"):
        net = Recurrent(nn.LSTM if workload == "T5" else nn.GRU)
        opt = torch.optim.Adam(net.parameters(), lr=1e-3, **fused)
        x, y = torch.randint(128, (2, batch, 64))
        y = y.flatten()
    else:
        net = mlp([20, 64, 64, 3])
        opt = torch.optim.SGD(net.parameters(), lr=1e-2, momentum=0.9, **fused)
        x, classes = torch.rand(batch, 20), 3
    if not workload.startswith("T5"):
        y = torch.arange(batch) * 7 % classes

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
