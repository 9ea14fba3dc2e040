# SPDX-License-Identifier: MIT
"""PyTorch's side of bench_mlp.c: the same network, data, batches and optimiser.

    peer_mlp.py --data DIR --threads N --mode eager|fused|compile [--seconds S] [--steps N]

eager: as written down; fused: SGD in one pass over each parameter; compile: forward, loss and
backward through torch.compile, SGD fused. --steps cuts an epoch short and scales its time up.
Memory: start is the resident set with torch imported and the data loaded, no network built.
"""
import argparse
import gzip
import math
import os
import time

import torch
from torch import nn
from torch.nn import functional

from peer_common import reset_peak, status_bytes, tell

BATCH = 100


def read_idx(folder, name):
    path = os.path.join(folder, name)
    opener = open if os.path.exists(path) else gzip.open
    with opener(path if opener is open else path + ".gz", "rb") as f:
        data = f.read()
    rank = data[3]
    shape = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big") for i in range(rank)]
    return torch.frombuffer(bytearray(data[4 + 4 * rank:]), dtype=torch.uint8).reshape(shape)


def make_step(mode):
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(784, 1024), nn.LeakyReLU(0.01), nn.Linear(1024, 1024),
                        nn.LeakyReLU(0.01), nn.Linear(1024, 1024), nn.LeakyReLU(0.01),
                        nn.Linear(1024, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, fused=mode != "eager")

    def loss_of(x, y):
        return functional.cross_entropy(net(x), y)

    compute = torch.compile(loss_of) if mode == "compile" else loss_of

    def step(x, y):
        optimizer.zero_grad(set_to_none=True)
        loss = compute(x, y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def epoch(step, x, y, steps):
    order = torch.randperm(len(x))
    for i in range(steps):
        batch = order[i * BATCH:(i + 1) * BATCH]
        loss = step(x[batch], y[batch])
    return loss.item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--mode", choices=["eager", "fused", "compile"], required=True)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--steps", type=int)
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    torch.set_flush_denormal(True)

    x = read_idx(o.data, "train-images-idx3-ubyte").reshape(-1, 784).float().div_(255)
    y = read_idx(o.data, "train-labels-idx1-ubyte").long()
    whole = len(x) // BATCH
    steps = min(o.steps or whole, whole)
    reset = reset_peak()
    start_rss = status_bytes("VmRSS:")
    step = make_step(o.mode)
    epoch(step, x[:500], y[:500], 5)

    tell({"mark": "timed"})
    epochs, start, elapsed = 0, time.perf_counter(), 0
    while not epochs or elapsed < o.seconds:
        loss = epoch(step, x, y, steps)
        elapsed = time.perf_counter() - start
        epochs += 1
    if not math.isfinite(loss):
        raise SystemExit(f"the loss is {loss}")
    tell({"seconds_per_epoch": elapsed / epochs * whole / steps, "epochs": epochs, "loss": loss,
          "start_rss_bytes": start_rss, "peak_rss_bytes": status_bytes("VmHWM:"),
          "peak_reset": reset, "threads": torch.get_num_threads(), "version": torch.__version__})


main()
