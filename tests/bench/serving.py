# SPDX-License-Identifier: MIT
"""Which implementation serves which convolution, as docs/implementations.md."""
import os

import bars

HEAD = """\
# Which implementation serves which convolution

Written by `tests/bench/run.sh conv --docs` from the rows in `tests/bench/results/conv.json`; don't edit it by hand.

A plan asks the implementations of [a convolution](convolution.md) in one order and takes the first that does not refuse;
`DEEPHEALTH_PROFILE=1` names it and why others refused. This page holds that order against the clock: each shape of
ResNet50 and VGG16 at 224x224 in f32 was run by every implementation that takes it. `taken` is the plan's choice, the times
are milliseconds, **bold** where another would have been more than 5 % faster than the one that is taken; `cost` is what
the choice costs then. Predict is forward as in a plan that only predicts: images lie channels last and weights were packed
before; a training step packs them each time and keeps images packed. A cell is empty where the implementation refuses the
shape or is younger than the row. GFLOP/s, shares of the peak and errors stand in [the benchmarks](benchmarks.md).
"""
ORDER = ("winograd", "winograd_2x2", "depthwise", "pointwise", "direct", "gemm")
LATE = 1.05


def figure(value):
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def cells(shape, row):
    times = {name: one["ms"] for name, one in row["impls"].items()}
    taken = times[row["impl"]]
    least = min(times.values())
    stride = f", stride {shape.stride}" if shape.stride > 1 else ""
    yield f"{shape.window}x{shape.window}{stride}"
    yield from (str(shape.c), str(shape.o), str(shape.side), str(shape.batch), row["impl"])
    for name in ORDER:
        if name in times:
            faster = times[name] * LATE < taken
            yield f"**{figure(times[name])}**" if faster else figure(times[name])
        else:
            yield ""
    yield f"{taken / least - 1:.0%}" if taken > LATE * least else ""
    yield "" if row["status"] == "measured" else row["status"]


def direction_table(rows, direction):
    lines = []
    for name, shape in bars.CONV.items():
        mine = [r for r in rows if r["workload"] == name]
        if shape.direction == direction and mine:
            lines.append(list(cells(shape, mine[0])))
    return lines


def page(rows, markdown, provenance):
    titles = ["window", "channels", "results", "side", "batch", "taken", *ORDER, "cost", ""]
    text = [HEAD]
    for threads, isa in sorted({(row["threads"], row["isa"]) for row in rows}):
        there = [row for row in rows if (row["threads"], row["isa"]) == (threads, isa)]
        for direction in bars.DIRECTIONS:
            lines = direction_table(there, direction)
            if lines:
                where = f"{threads} thread{'s' * (threads > 1)}, {isa}"
                text += [f"## {direction.capitalize()}, {where}", "", *markdown(titles, lines), ""]
    return "\n".join([*text, *provenance(rows)]).rstrip() + "\n"


def write(root, rows, markdown, provenance):
    if rows:
        with open(os.path.join(root, "docs", "implementations.md"), "w") as f:
            f.write(page(rows, markdown, provenance))
