#!/usr/bin/env python3
"""The language models of the presets `char-lm` and `gpt` in PyTorch, trained as `thalweg train TEXTS` trains them: the
same windows, vocabulary, batch size, optimizer, schedule and number of steps, first weights of the same distribution.
Prints the bits per character on the validation part. Needs `pip install torch`.

    python benches/peers/torch_language.py ../shared/data/text char-lm EPOCHS [SEED]
"""
import math
import pathlib
import sys
import time
from collections import Counter

import torch
import torch.nn as nn
import torch.nn.functional as F

WINDOW, BATCH = 128, 32
folder, preset, epochs = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
torch.manual_seed(int(sys.argv[4]) if len(sys.argv) > 4 else 0)
torch.set_num_threads(2)

# The last tenth of each text is for validation; a token is a character that occurs at least twice in the other parts.
texts = [path.read_bytes().decode() for path in sorted(folder.glob("*.txt"))]
halves = [(text[: len(text) - len(text) // 10], text[len(text) - len(text) // 10 :]) for text in texts]
counts = Counter(c for train, _ in halves for c in train)
ids = {c: i + 1 for i, c in enumerate(sorted(c for c, n in counts.items() if n >= 2))}


def windows(parts):
    x, y = [], []
    for part in parts:
        tokens = [ids.get(c, 0) for c in part]
        for start in range(0, len(tokens) - 1, WINDOW):
            seen = tokens[start : min(start + WINDOW, len(tokens) - 1)]
            following = tokens[start + 1 : start + 1 + WINDOW]
            x.append(seen + [0] * (WINDOW - len(seen)))
            y.append(following + [-100] * (WINDOW - len(following)))
    return torch.tensor(x), torch.tensor(y)


class CharLm(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 128)
        self.lstm = nn.LSTM(128, 256, 2, batch_first=True)
        self.output = nn.Linear(256, vocabulary)

    def forward(self, x):
        return self.output(self.lstm(self.embedding(x))[0])


class Gpt(nn.Module):
    def __init__(self, vocabulary, dim=128, dropout=float(sys.argv[5]) if len(sys.argv) > 5 else 0.1):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, dim)
        self.positions = nn.Parameter(torch.empty(WINDOW, dim).normal_(std=0.02))
        nn.init.normal_(self.embedding.weight, std=0.02)
        make = lambda: nn.TransformerEncoderLayer(
            dim, 4, 4 * dim, dropout, "gelu", batch_first=True, norm_first=True
        )
        # Layers made one by one, since `nn.TransformerEncoder` copies the first one's weights.
        self.layers = nn.ModuleList(make() for _ in range(4))
        for layer in self.layers:
            layer.self_attn.dropout = 0.0
        self.norm, self.output = nn.LayerNorm(dim), nn.Linear(dim, vocabulary)
        self.mask = nn.Transformer.generate_square_subsequent_mask(WINDOW)

    def forward(self, x):
        x = self.embedding(x) + self.positions
        for layer in self.layers:
            x = layer(x, src_mask=self.mask, is_causal=True)
        return self.output(self.norm(x))


train, valid = windows([t for t, _ in halves]), windows([v for _, v in halves])
net = (CharLm if preset == "char-lm" else Gpt)(len(ids) + 1)
steps = epochs * math.ceil(len(train[0]) / BATCH)
optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01, fused=True)
schedule = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, 2e-3, steps, pct_start=0.3, div_factor=25, final_div_factor=1e4, cycle_momentum=False
)


def bits():
    net.eval()
    with torch.no_grad():
        parts = zip(valid[0].split(64), valid[1].split(64))
        total = sum(F.cross_entropy(net(x).flatten(0, 1), y.flatten(), reduction="sum") for x, y in parts)
    net.train()
    return float(total) / int((valid[1] != -100).sum()) / math.log(2)


print(f"{len(train[0])} training windows, {len(valid[0])} validation windows, {len(ids) + 1} characters,",
      f"{sum(p.numel() for p in net.parameters())} parameters, {steps} steps", flush=True)
begin = time.perf_counter()
for epoch in range(epochs):
    for rows in torch.randperm(len(train[0])).split(BATCH):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(train[0][rows]).flatten(0, 1), train[1][rows].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    print(f"epoch {epoch + 1}: {bits():.4f} bits per character, {time.perf_counter() - begin:.0f} s", flush=True)
