# SPDX-License-Identifier: MIT
"""Compares our training with PyTorch's in f32 and f64; run.sh prepares what it needs and starts it."""
import argparse
import datetime
import gzip
import json
import os
import sys
import tempfile

import numpy as np
import torch

import parity_page
import peer
from measure import BenchError, run, say
from place import RELEASE, ROOT, program, versions

# measuring: see docs/parity.md
CURVE_BAR, FIRST_BAR, GRADIENT_BAR, RATIO_BAR = 1e-3, 1e-5, 1e-4, 2.0
# what -> network, optimiser, steps, batch, seeds
RUNS = {"mlp": ("mlp", "sgd_momentum", 50, 100, 1),
        "mnist_cnn": ("mnist_cnn", "sgd_momentum", 10, 32, 5),
        "resnet18": ("resnet18", "sgd_slow", 10, 32, 5)}
# what -> network, optimiser, steps, batch, images for training, images that no training saw
UNSEEN = {"mlp": ("mlp", "sgd_momentum", 600, 100, 60000, 10000),
          "mnist_cnn": ("mnist_cnn", "sgd_momentum", 600, 32, 60000, 10000),
          "resnet18": ("resnet18", "sgd_momentum", 150, 32, 8000, 2000)}
UNSEEN_SEEDS = 3
PARAMETERS = {"small": 52650, "mlp": 2913290, "mnist_cnn": 410890, "resnet18": 11173962}
SMALL_STEPS, SMALL_BATCH = 20, 50
WHATS = ["mlp", "mnist_cnn", "resnet18", "optimizers", "accuracy"]


# --- data ---

def read(path):
    if os.path.exists(path):
        with open(path, "rb") as f:
            return f.read()
    if os.path.exists(path + ".gz"):
        with gzip.open(path + ".gz", "rb") as f:
            return f.read()
    raise BenchError(f"there is no {path} and no {path}.gz")


def batches(folder, net, count, skip=0, part="train"):
    """Images of the training set in its own order from number skip on, or of MNIST's "t10k", f32 in
    0..1, and one-hot labels."""
    if net.startswith("resnet18"):
        records = np.frombuffer(read(f"{folder}/cifar10/data_batch_1.bin"), np.uint8)
        records = records.reshape(-1, 3073)[skip:skip + count]
        x, labels = records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]
    else:
        images = read(f"{folder}/mnist/{part}-images-idx3-ubyte")[16:]
        shape = (-1, 1, 28, 28) if net.startswith("mnist_cnn") else (-1, 784)
        x = np.frombuffer(images, np.uint8).reshape(shape)[skip:skip + count]
        labels = np.frombuffer(read(f"{folder}/mnist/{part}-labels-idx1-ubyte"), np.uint8)[8:]
        labels = labels[skip:skip + count]
    if len(x) < count:
        raise BenchError(f"{net}: {count} images are asked for, the data hold {len(x)}")
    return x.astype(np.float32) / np.float32(255), np.eye(10, dtype=np.float32)[labels]


# --- one comparison ---

def distance(a, b):
    """Euclidean, over all arrays of b."""
    return float(np.sqrt(sum(np.sum((a[k].astype(np.float64) - b[k]) ** 2) for k in b)))


def norm(a):
    return float(np.sqrt(sum(np.sum(np.square(v)) for v in a.values())))


def worst(values):
    """NaN where one of them is."""
    return float(np.max(list(values)))


def median(values):
    return float(np.median(list(values)))


def relative(a, b):
    return float(np.max(np.abs(a - b) / np.abs(b)))


class Comparison:
    """The same training by ours and by PyTorch in f32 and f64."""

    def __init__(self, options, net, optimizer, steps, batch, seed=1):
        x, y = batches(options.data, net, steps * batch)
        with tempfile.TemporaryDirectory(dir=os.path.join(ROOT, "build", "parity")) as work:
            np.save(f"{work}/x.npy", x)
            np.save(f"{work}/y.npy", y)
            self.ours = run([program("parity_train"), net, "--dir", work, "--steps", steps, "--batch",
                             batch, "--threads", options.threads, "--seed", seed, "--optimizer",
                             optimizer])
            initial = peer.load_safetensors(f"{work}/initial.safetensors")
            self.weights = peer.load_safetensors(f"{work}/final.safetensors")
            with np.load(f"{work}/gradients.npz") as f:
                self.gradients = {name: f[name] for name in f.files}
        self.losses = np.array(self.ours["losses"])
        self.initial = {k: v for k, v in initial.items() if "/running_" not in k}
        count = sum(v.size for v in self.initial.values())
        if count != PARAMETERS[net.removesuffix("_smooth")]:
            raise BenchError(f"{net} has {count} parameters")
        one, two = (peer.train(net, optimizer, initial, x, y, steps, batch, dtype)
                    for dtype in (torch.float32, torch.float64))
        self.losses32, self.gradients32, self.weights32 = np.array(one[0]), one[1], one[2]
        self.losses64, self.gradients64, self.weights64 = np.array(two[0]), two[1], two[2]
        if set(self.gradients) != set(self.gradients64):
            raise BenchError(f"{net}: the gradients are of {sorted(self.gradients)}, "
                             f"the peer's of {sorted(self.gradients64)}")

    def gradient(self, whose):
        return distance(whose, self.gradients64) / norm(self.gradients64)

    def worst_gradient(self, whose):
        return worst(distance(whose, {k: v}) / norm({k: v}) for k, v in self.gradients64.items())

    def curve(self, whose):
        return float(np.linalg.norm(whose - self.losses64))

    def moved(self, whose):
        return distance(whose, self.weights64) / distance(self.initial, self.weights64)


class Parity:
    def __init__(self, options):
        self.o = options
        self.rows = []
        self.common = {}

    def compare(self, *arguments):
        one = Comparison(self.o, *arguments)
        self.taken(one.ours)
        return one

    def taken(self, ours):
        self.common = {"cpu": ours["cpu"], "isa": ours["isa"], "threads": ours["threads"],
                       "versions": versions(), "peer_version": "PyTorch " + torch.__version__,
                       "date": datetime.datetime.now().strftime("%Y-%m-%d %H:%M")}

    def add(self, workload, figure, ours, theirs, value=None, bar=None):
        """value is what the bar judges, where it is not ours itself."""
        judged = ours if value is None else value
        row = {"workload": workload, "figure": figure, "ours": ours, "peer": theirs, "value": value,
               "bar": bar, "met": None if bar is None else bool(judged <= bar), **self.common}
        self.rows.append(row)
        say("  ".join(parity_page.cells(row)))

    def mlp(self):
        net, optimizer, steps, batch, _ = RUNS["mlp"]
        one = self.compare(net, optimizer, self.o.steps or steps, batch)
        steps = len(one.losses)
        self.add("mlp", f"largest difference of {steps} losses from PyTorch's in f32, relative",
                 relative(one.losses, one.losses32), None, bar=CURVE_BAR)
        self.add("mlp", "the same from those in f64", relative(one.losses, one.losses64),
                 relative(one.losses32, one.losses64))
        self.add("mlp", "first loss from f64, relative", relative(one.losses[:1], one.losses64[:1]),
                 relative(one.losses32[:1], one.losses64[:1]))
        self.add("mlp", "gradients of the first step from f64, in norm",
                 one.gradient(one.gradients), one.gradient(one.gradients32))

    def deep(self, what):
        net, optimizer, steps, batch, seeds = RUNS[what]
        steps, seeds = self.o.steps or steps, self.o.seeds or seeds
        self.deep_net(net, optimizer, steps, batch, seeds)
        self.deep_net(net + "_smooth", optimizer, steps, batch, (seeds + 1) // 2)

    def deep_net(self, net, optimizer, steps, batch, seeds):
        all_of = [self.compare(net, optimizer, steps, batch, seed) for seed in range(1, 1 + seeds)]
        self.add(net, "first loss from f64, relative, worst",
                 worst(relative(c.losses[:1], c.losses64[:1]) for c in all_of),
                 worst(relative(c.losses32[:1], c.losses64[:1]) for c in all_of), bar=FIRST_BAR)
        ours = [c.gradient(c.gradients) for c in all_of]
        theirs = [c.gradient(c.gradients32) for c in all_of]
        self.add(net, "gradients of the first step from f64, in norm, median", median(ours),
                 median(theirs), bar=GRADIENT_BAR)
        self.add(net, "the same, worst", worst(ours), worst(theirs))
        self.add(net, "the same, worst single parameter",
                 worst(c.worst_gradient(c.gradients) for c in all_of),
                 worst(c.worst_gradient(c.gradients32) for c in all_of))
        curves = [(c.curve(c.losses), c.curve(c.losses32)) for c in all_of]
        self.add(net, f"distance of {steps} losses from f64, median", median(a for a, _ in curves),
                 median(b for _, b in curves))
        ratios = [a / b for a, b in curves]
        text = " ".join(f"{r:.2f}" for r in sorted(ratios))
        self.add(net, f"ratio of those distances, median of {text}", None, None,
                 value=median(ratios), bar=RATIO_BAR)

    def mnist_cnn(self):
        self.deep("mnist_cnn")

    def resnet18(self):
        self.deep("resnet18")

    def optimizers(self):
        for name in peer.OPTIMIZERS:
            if name == "sgd_slow":
                continue
            one = self.compare("small", name, self.o.steps or SMALL_STEPS, SMALL_BATCH)
            ours, theirs = one.moved(one.weights), one.moved(one.weights32)
            self.add(f"small, {name}", f"weights after {len(one.losses)} steps from f64, share of "
                     "the way they went", ours, theirs, value=ours / theirs, bar=RATIO_BAR)


    def accuracies(self, what, seed):
        """Ours and the peer's, from the same weights, on images that no training saw."""
        net, optimizer, steps, batch, seen, unseen = UNSEEN[what]
        steps = self.o.steps or steps
        x, y = batches(self.o.data, net, seen)
        if net.startswith("resnet18"):
            unseen_x, unseen_y = batches(self.o.data, net, unseen, skip=seen)
        else:
            unseen_x, unseen_y = batches(self.o.data, net, unseen, part="t10k")
        with tempfile.TemporaryDirectory(dir=os.path.join(ROOT, "build", "parity")) as work:
            for name, value in (("x", x), ("y", y), ("unseen_x", unseen_x), ("unseen_y", unseen_y)):
                np.save(f"{work}/{name}.npy", value)
            ours = run([program("parity_train"), net, "--dir", work, "--steps", steps, "--batch",
                        batch, "--threads", self.o.threads, "--seed", seed, "--optimizer",
                        optimizer, "--unseen", "true"])
            initial = peer.load_safetensors(f"{work}/initial.safetensors")
        self.taken(ours)
        trained = peer.train(net, optimizer, initial, x, y, steps, batch, torch.float32)[3]
        theirs = peer.accuracy(net, trained, unseen_x, unseen_y)
        say(f"{what}, seed {seed}: {ours['accuracy']:.4f}, PyTorch {theirs:.4f}")
        return ours["accuracy"], theirs

    def accuracy(self):
        for what, (_, _, steps, batch, _, unseen) in UNSEEN.items():
            if self.o.only not in (None, what):
                continue
            seeds = range(1, 1 + (self.o.seeds or UNSEEN_SEEDS))
            ours, theirs = zip(*(self.accuracies(what, seed) for seed in seeds))
            each = [" ".join(f"{100 * a:.2f}" for a in side) for side in (ours, theirs)]
            self.add(what, f"accuracy after {self.o.steps or steps} steps of {batch} on {unseen} images "
                     f"that no training saw, in %, mean of {each[0]} and of {each[1]}",
                     100 * float(np.mean(ours)), 100 * float(np.mean(theirs)))


def main():
    parser = argparse.ArgumentParser(prog="run.sh")
    parser.add_argument("what", choices=[*WHATS, "all"])
    parser.add_argument("--steps", type=int, help="instead of each comparison's own number")
    parser.add_argument("--seeds", type=int, help="initial weights of the deeper networks (5)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", choices=list(UNSEEN), help="of accuracy: one network")
    parser.add_argument("--json", help="default build/parity/WHAT.json")
    parser.add_argument("--docs", action="store_true",
                        help="keep the rows in tests/parity/results and write docs/parity.md")
    parser.add_argument("--data", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in ("steps", "seeds", "threads"):
        if (getattr(options, name) or 1) < 1:
            parser.error(f"--{name} is {getattr(options, name)}, must be at least 1")
    torch.set_num_threads(options.threads)
    if not os.path.isdir(RELEASE):
        parser.error(f"{RELEASE} is not built")

    parity, failed = Parity(options), False
    for what in WHATS if options.what == "all" else [options.what]:
        try:
            getattr(parity, what)()
        except BenchError as error:
            say(f"{what}: {error}")
            failed = True
    path = options.json or os.path.join(ROOT, "build", "parity", f"{options.what}.json")
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w") as f:
        json.dump({"rows": parity.rows}, f, indent=1)
        f.write("\n")
    print(parity_page.table(parity.rows))
    if options.docs:
        parity_page.keep(ROOT, parity.rows)
        parity_page.write(ROOT)
    sys.exit(1 if failed or any(row["met"] is False for row in parity.rows) else 0)


if __name__ == "__main__":
    main()
