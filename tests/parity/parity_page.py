# SPDX-License-Identifier: MIT
"""Rows as a table on the terminal, as files in tests/parity/results, as docs/parity.md."""
import json
import os

HEAD = """\
# Training beside PyTorch

Written by `tests/parity/run.sh WHAT --docs` from the rows in `tests/parity/results/`; don't edit it by hand.

## How it was taken

- Our network is built and its initial weights are saved; PyTorch reads them and takes the same steps in f32 and in f64,
  on the same batches in the same order (the first images of the training set, neither shuffled nor augmented), with the
  same optimiser and numbers.
- f64 is what both sides in f32 should come to. The distance of a curve is the Euclidean one of its losses; that of
  gradients and weights is taken over all parameters together.
- Losses of the MLP are held to PyTorch's in f32 itself. Deeper networks drift apart by rounding alone, so theirs are held
  to the f64 run, with PyTorch's own distance as the measure: at most twice that. One such ratio is a matter of luck, so
  several initial weights are taken and the median counts.
- Kinks: where rounding puts a number on the other side of a ReLU's 0, or of the maximum of a window, the whole gradient
  of that element passes elsewhere. A share p of such elements puts the gradient off by about sqrt(p), and p is 1e-6 or
  so after a few layers in f32, so that a single run may be 1e-3 off with nothing wrong, PyTorch's as well as ours. So
  each deeper network is also trained without kinks, as `_smooth`: SiLU instead of ReLU, averages instead of maxima.
- Figures without a bar are shown for what they explain. What was not taken is *unmeasured*.
"""
TITLES = {"mlp": "MLP on MNIST", "mnist_cnn": "Convolutions on MNIST", "resnet18": "ResNet18 on CIFAR-10",
          "optimizers": "Optimisers"}
ABOUT = {
    "mlp": """\
784-1024-1024-1024-10, leaky ReLU, SGD (0.01, momentum 0.9), batch 100.
""",
    "mnist_cnn": """\
Four convolutions 3x3 with bias and ReLU, of 32, 64, 128 and 256 channels, a max pooling after each, a dense layer; 410,890
parameters. SGD (0.01, momentum 0.9), batch 32.
""",
    "resnet18": """\
A 3x3 stem, four stages of two basic blocks, batch normalisation, global average pooling, a dense layer; 11,173,962
parameters. SGD (0.001, momentum 0.9), batch 32.

Behind a batch normalisation a value is as likely near 0 as anywhere, so among the millions that go into the ReLUs of a
step some always change sides: no f32 computation is within 1e-4 of the f64 gradient, PyTorch's no more than ours.
""",
    "optimizers": """\
A small network, 784-64-32-10 with tanh (kinks would add their luck), batch 50, 20 steps. All eight optimisers have
PyTorch's formulas and default epsilons; the one difference is that weight decay leaves biases and the scale and shift of
normalisations alone, which the peer does here by groups of parameters. The tolerance is PyTorch's own rounding: our
weights in the end are at most twice as far from those of f64 as PyTorch's in f32 are. That is narrow: a decay, momentum
or epsilon that differs by 1 % misses it.
""",
}
ACCURACY = ("mlp", "mnist_cnn", "resnet18")
COLUMNS = ["workload", "figure", "ours", "PyTorch f32", "ratio", "bar", ""]


def number(value):
    return "" if value is None else f"{value:.2g}" if abs(value) < 0.01 else f"{value:.3g}"


def verdict(row):
    return "" if row["met"] is None else "met" if row["met"] else "**not met**"


def cells(row):
    bar = "" if row["bar"] is None else f"<= {row['bar']:g}"
    ratio = "" if row["value"] is None else f"{row['value']:.2f}"
    return [row["workload"], row["figure"], number(row["ours"]), number(row["peer"]), ratio, bar,
            verdict(row)]


def table(rows):
    lines = [COLUMNS] + [cells(row) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip() for line in lines)


def what_of(row):
    name = row["workload"]
    if row["figure"].startswith("accuracy"):
        return "accuracy"
    return "optimizers" if name.startswith("small") else name.removesuffix("_smooth")


def path_of(root, what):
    return os.path.join(root, "tests", "parity", "results", f"{what}.json")


def load(root, what):
    try:
        with open(path_of(root, what)) as f:
            return json.load(f)["rows"]
    except FileNotFoundError:
        return []


def keep(root, rows):
    """The rows of a WHAT replace those kept before."""
    for what in (*TITLES, "accuracy"):
        mine = [row for row in rows if what_of(row) == what]
        if not mine:
            continue
        if what == "accuracy":  # each network by itself
            taken = {row["workload"] for row in mine}
            mine += [row for row in load(root, what) if row["workload"] not in taken]
        os.makedirs(os.path.dirname(path_of(root, what)), exist_ok=True)
        with open(path_of(root, what), "w") as f:
            json.dump({"rows": mine}, f, indent=1)
            f.write("\n")


def provenance(rows):
    seen = {}
    for row in rows:
        v = row["versions"]
        key = (f"{row['cpu']}, {row['isa']}, {row['threads']} thread{'s' * (row['threads'] > 1)}; "
               f"deephealth {v['deephealth']} ({v['commit']}), {v['compiler']}; {row['peer_version']}")
        seen.setdefault(key, []).append(row["date"])
    for key, dates in seen.items():
        last = f" to {max(dates)}" if max(dates) != min(dates) else ""
        yield f"Taken {min(dates)}{last} on {key}."
        yield ""


def section(root, what):
    rows = load(root, what)
    lines = [f"## {TITLES[what]}", "", ABOUT[what], "| " + " | ".join(COLUMNS) + " |",
             "|" + " --- |" * len(COLUMNS)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    if not rows:
        lines.append(f"| {what} |" + " |" * (len(COLUMNS) - 2) + " *unmeasured* |")
    judged = [row for row in load(root, "accuracy") if row["workload"] == what]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in judged]
    if what in ACCURACY and not judged:
        lines.append(f"| {what} | accuracy on images that no training saw, three seeds |"
                     + " |" * (len(COLUMNS) - 3) + " *unmeasured* |")
    return "\n".join([*lines, "", *provenance(rows + judged)])


def write(root):
    text = "\n".join([HEAD] + [section(root, what) for what in TITLES])
    with open(os.path.join(root, "docs", "parity.md"), "w") as f:
        f.write(text.rstrip() + "\n")
