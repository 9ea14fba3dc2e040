# SPDX-License-Identifier: MIT
"""Rows as a table on the terminal, as files in tests/bench/results, as docs/benchmarks.md."""
import collections
import json
import os

import bars
import roofline
import serving

PAGE_HEAD = """\
# Benchmarks

Written by `tests/bench/run.sh WHAT --docs` from the rows in `tests/bench/results/`; don't edit it by hand.

## How it was taken

- Ours and the peers ran in turn, A B A B, each in a process of its own, at least two seconds a side. A pair in which
  other processes and steal took more than 15 % of the machine (`/proc/stat` less the run's own use) was dropped, the
  same rule for every side; the number dropped is in the table.
- `ratio` is the median of the pairs' ratios ours/peer, with their minimum and maximum. Below 1 we are faster. "At most
  1.0" is met up to a median of 1.05.
- A row with fewer than five clean pairs is *disturbed*: its figures are those of the least disturbed pairs and meet
  nothing. A row that was not taken is *unmeasured*.
- Each table names CPU, instruction set, versions and date; the FMA peak was measured in the same run.

## How to take it again

`tests/bench/run.sh WHAT` builds what it needs, takes the rows of one table, prints them and writes them to
`build/bench/WHAT.json`; WHAT is `mnist`, `cpu`, `gemm`, `conv`, `memory`, `opencl`, `startup` or `all`. `cpu` and `conv`
take hours, the others minutes.

- `--only REGEX` takes some rows of `cpu`, `gemm`, `conv`, `memory` or `opencl`: `run.sh cpu --only 'resnet18.*train'`. `--threads "1 2"`,
  `--pairs N`, `--json FILE`.
- `--patience S`: so long a row may wait for a quiet machine. `--ceiling S` (`cpu`): a side that takes longer than that
  for ten steps makes fewer, but three.
- `--docs` keeps the rows in `tests/bench/results/`, where they take the place of those of the same name, threads and
  instruction set (`DEEPHEALTH_ISA` names a lesser one than the CPU has), and writes this page; `run.sh docs` writes it alone.
- The peers are installed into `build/peer`, or are those of the virtual environment `$PEER`: `torch` and `numpy`, for
  `cpu` also `onnx`, `onnxscript`, `onnxruntime` and `openvino`. `torch.compile` needs a C++ compiler.
"""

ABOUT = {
    "mnist": """\
784-1024-1024-1024-10, leaky ReLU, SGD (0.01, momentum 0.9), batch 100, cross entropy, all 60,000 images of MNIST. The
peer is the fastest of PyTorch eager, with `SGD(fused=True)`, and with `torch.compile` (compile time not counted):
tensors in memory, batches by indexing with a permutation, no DataLoader, threads as ours, `zero_grad(set_to_none=True)`,
denormals flushed. Ours also computes the accuracy, the peer does not. Memory is the peak of the resident set less the
resident set with the data loaded and no network built, of the same processes as the time.

An epoch is 0.951 TFLOP of matrix products. At the FMA peak of the AVX-512 machines that alone takes 4.1 s with two threads
of the EPYC (232 GFLOP/s), 0.41 of what PyTorch with MKL takes there, and 5.3 s with one thread of the Xeon (179 GFLOP/s),
0.58 of it: there the bar of 0.55 asks for more than the whole peak.
""",
    "cpu": """\
Nets of [the zoo](zoo.md) on numbers made beforehand, all in f32; the number at the end of a row's name is the batch.
A training step is forward, loss, backward and SGD (0.01, momentum 0.9), the time a median of steps. Ours is
`examples/bench_net`, training at the level of [memory](memory.md) that the row names (`full_mem` where that meets the bar of
memory, else `mid_mem`), predicting by a session that outlives its model (in rows of before 2026-11-22 beside it, with the
plain weights too). The peers have the same layers,
parameters and output (`tests/bench/nets.py`), which each run checks and prints: PyTorch in NCHW with `SGD(fused=True)` and
without, channels-last, `torch.compile` in both (neither the time of compiling nor its memory is counted); for inference
batch normalisations folded and weights frozen, and ONNX Runtime and OpenVINO (latency hint, f32, fixed shape) on the net
that PyTorch exported. Each was run briefly; those within 10 % of the fastest, at most three, took part in the pairs, and
the ratio is to the best of these.

Memory is the peak of the resident set less that with libraries loaded and data in memory, no net built, of the same
processes as the time: beside the fastest peer's; in inference at batch 1 beside OpenVINO's, which then takes part in
the pairs. `leanest` is the ratio to the mode of any peer that took least.
""",
    "conv": """\
Each convolution of ResNet50 and VGG16 at 224x224 once, f32: window, stride, channels, side and batch are in its name; dx and
dw are the gradients for the input and for the weights. Each implementation of [the CPU](convolution.md) that takes the
shape and the FMA peak run in turn, half a second each; the first that is named is the one that a plan takes, and time,
GFLOP/s and the weighted share are its. Winograd's operations are counted as those of the sum it replaces, so its share
may pass 100 %. Efficiency: the time of one thread over the times of all of them added up, of the shapes that were taken with
both. The roofline has a point for each shape: its FLOPs over the bytes of its three tensors, moved once each, and what was
reached; the roofs are the FMA peak and what all threads read from memory far beyond the caches. [Which implementation serves
which shape](implementations.md) holds the plan's choices against the others. Errors are those of up to 4096 results against
sums in double: root mean square and largest, both relative to the root mean square of the exact results.
""",
    "memory": """\
A training step of `examples/bench_net` at `mid_mem` and `low_mem` ([what these are](memory.md)) in turn with the same step
at `full_mem`. Activations are the bytes that the plan of the step has for them and for scratch; the ratio of time is to
`full_mem`. All levels give the same bits.
""",
    "opencl": """\
A training step of `examples/bench_net --device opencl` in turn with the same step on the CPU. The device is the first that
the machine lists, in these rows PoCL, which computes on all cores of the same CPU: they tell what kernels written for any
device lose there, nothing of a card's speed.
""",
    "gemm": """\
Products in f32, m x n x k. y, dx and dw are those of the MLP above, with their transpositions. The peers are OpenBLAS
with its own threads and the core type that is fastest for the shape (the system's, and the newer one in NumPy's wheel),
the MKL inside PyTorch's wheel called directly, and `torch.mm` into an existing matrix. Each of them was timed briefly;
those within 10 % of the fastest, at most three, took part in the pairs, and the ratio is to the best of these.
""",
    "startup": """\
CPU time, user and system, from the start of a process that loads the weights of the MLP above to its first prediction;
warm cache, median of 21 runs. The library is `libdeephealth.so` of the preset, stripped.
""",
}
TITLES = {"mnist": "Training an MLP on MNIST", "cpu": "Nets on the CPU", "gemm": "Matrix products",
          "conv": "Convolutions",
          "memory": "Levels of memory",
          "opencl": "OpenCL beside the CPU", "startup": "Size and start"}


def number(value, digits=3):
    if value is None:
        return ""
    if abs(value) >= 1e5:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:.0f}"


def megabytes(value):
    return "" if value is None else f"{value / 1e6:.1f}"


def verdict(row):
    if row["status"] != "measured":
        return row["status"]
    return {None: "", True: "met", False: "**not met**"}[row["met"]]


def spread(row):
    if row.get("ratio") is None:
        return ""
    return f"{row['ratio']:.2f} ({row['ratio_min']:.2f} to {row['ratio_max']:.2f})"


def level_of(row):
    return row.get("level") or ("full_mem" if "_train_" in row["workload"] else "")


def raw_peaks(row):
    return f"{megabytes(row['peak_rss_ours'])} / {megabytes(row['peak_rss_peer'])}"


def shares(row):
    return ", ".join(f"{name} {one['share_of_peak']:.1%}" for name, one in row["impls"].items())


def error(row):
    ours = [(name, one) for name, one in row["impls"].items() if name.startswith("winograd")]
    return "; ".join(f"{name} {one['error_rms']:.1e}, {one['error_max']:.1e}" for name, one in ours)


WIDTHS = ("portable", "avx2", "avx512")
ISA = ("isa", lambda r: r["isa"])
COLUMNS = {
    "mnist": [("workload", lambda r: r["workload"]), ("threads", lambda r: str(r["threads"])), ISA,
              ("ours, s/epoch", lambda r: number(r["ours"])),
              ("peer, s/epoch", lambda r: number(r["peer"])), ("peer", lambda r: r["peer_name"]),
              ("ratio", spread), ("ours, MB", lambda r: megabytes(r["net_rss_ours"])),
              ("peer, MB", lambda r: megabytes(r["net_rss_peer"])),
              ("raw peaks, MB", raw_peaks), ("memory ratio", lambda r: f"{r['mem_ratio']:.2f}")],
    "cpu": [("workload", lambda r: r["workload"]), ("threads", lambda r: str(r["threads"])), ISA,
            ("ours, ms", lambda r: number(r["ours"])), ("peer, ms", lambda r: number(r["peer"])),
            ("peer", lambda r: r["peer_name"]), ("ratio", spread),
            ("ours, MB", lambda r: megabytes(r["net_rss_ours"])),
            ("peer, MB", lambda r: megabytes(r["net_rss_peer"])),
            ("level", level_of), ("memory of", lambda r: r["mem_peer"]), ("raw peaks, MB", raw_peaks),
            ("memory ratio", lambda r: f"{r['mem_ratio']:.2f}"),
            ("leanest", lambda r: f"{r['mem_ratio_leanest_mode']:.2f}")],
    "gemm": [("workload", lambda r: r["workload"]), ("threads", lambda r: str(r["threads"])), ISA,
             ("ours, ms", lambda r: number(r["ours"])), ("peer, ms", lambda r: number(r["peer"])),
             ("peer", lambda r: r["peer_name"]), ("ratio", spread),
             ("GFLOP/s", lambda r: number(r["gflops"])),
             ("share of peak",
              lambda r: f"{r['share_of_peak']:.1%}" if "share_of_peak" in r else "")],
    "conv": [("workload", lambda r: r["workload"]), ("threads", lambda r: str(r["threads"])), ISA,
             ("ms", lambda r: number(r["ours"])),
             ("GFLOP/s", lambda r: number(1e-6 * r["flops"] / r["ours"])),
             ("share of peak", shares), ("error of winograd", error)],
    "memory": [("workload", lambda r: r["workload"]), ("threads", lambda r: str(r["threads"])), ISA,
               ("ms", lambda r: number(r["ours"])),
               ("full_mem, ms", lambda r: number(r["peer"])), ("ratio", spread),
               ("activations, MB", lambda r: megabytes(r["activation_bytes"])),
               ("full_mem, MB", lambda r: megabytes(r["activation_bytes_full"])),
               ("share", lambda r: f"{r['mem_ratio']:.2f}"), ("raw peaks, MB", raw_peaks)],
    "opencl": [("workload", lambda r: r["workload"]), ("threads", lambda r: str(r["threads"])), ISA,
               ("opencl, ms", lambda r: number(r["ours"])), ("cpu, ms", lambda r: number(r["peer"])),
               ("ratio", spread), ("raw peaks, MB", raw_peaks)],
    "startup": [("workload", lambda r: r["workload"]), ISA,
                ("ours", lambda r: number(r["ours"])),
                ("unit", lambda r: r["unit"]),
                ("min to max", lambda r: f"{number(r['ours_min'])} to {number(r['ours_max'])}"
                 if "ours_min" in r else ""),
                ("runs dropped", lambda r: str(r["dropped"]) if "runs" in r else "")],
}
TAIL = [("bar", lambda r: r["bar"] or ""), ("", verdict)]
PAIRS = [("pairs", lambda r: str(r["pairs"])), ("dropped", lambda r: str(r["dropped"]))]


def columns(what):
    return COLUMNS[what] + (PAIRS if what != "startup" else []) + TAIL


def row_text(row):
    cells = columns(bars.what_of(row["workload"]))
    return "  ".join(filter(None, (f"{t} {f(row)}" if t else f(row) for t, f in cells)))


def aligned(titles, rows):
    widths = [max(len(row[i]) for row in [titles, *rows]) for i in range(len(titles))]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip()
            for row in [titles, *rows]] + [""]


def table(rows):
    """All rows as aligned text, a table a WHAT."""
    text = []
    for what in bars.EXPECTED:
        mine = [row for row in rows if bars.what_of(row["workload"]) == what]
        if not mine:
            continue
        shown = columns(what)
        text += aligned([t for t, _ in shown], [[f(row) for _, f in shown] for row in mine])
        if what == "conv":
            text += aligned(SUMMARY_TITLES, [c for c in conv_summary(mine) if c[3]])
    return "\n".join(text)


def folder(root):
    return os.path.join(root, "tests", "bench", "results")


def load(root, what):
    try:
        with open(os.path.join(folder(root), f"{what}.json")) as f:
            return json.load(f)["rows"]
    except FileNotFoundError:
        return []


def identity(row):
    return row["workload"], row["threads"], row["isa"]


def keep(root, rows):
    """Lays the rows beside those kept before; one of the same workload, threads and instruction set
    gives way."""
    os.makedirs(folder(root), exist_ok=True)
    for what in bars.EXPECTED:
        mine = [row for row in rows if bars.what_of(row["workload"]) == what]
        if not mine:
            continue
        new = {identity(row) for row in mine}
        kept = [r for r in load(root, what) if identity(r) not in new] + mine
        order = {name: i for i, (name, _) in reversed(list(enumerate(bars.EXPECTED[what])))}
        kept.sort(key=lambda r: (r["threads"] or 0, order.get(r["workload"], 99), r["isa"]))
        with open(os.path.join(folder(root), f"{what}.json"), "w") as f:
            json.dump({"rows": kept}, f, indent=1)
            f.write("\n")


def section(root, what):
    rows = load(root, what)
    titles = [t for t, _ in columns(what)]
    lines = [f"## {TITLES[what]}", "", ABOUT[what]]
    if what == "conv":
        lines += [*markdown(SUMMARY_TITLES, conv_summary(rows)), ""]
        if rows:
            threads, isa = of_roofline(rows)
            lines += [f"![Roofline of the convolutions, {threads} threads, {isa}](roofline.svg)", ""]
    cells = [[f(row) for _, f in columns(what)] for row in rows]
    if what != "conv":
        cells += unmeasured(what, titles, rows)
    if cells:
        lines += [*markdown(titles, cells), ""]
    return "\n".join([*lines, *provenance(rows)])


def markdown(titles, rows):
    return ["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles),
            *("| " + " | ".join(row) + " |" for row in rows)]


def unmeasured(what, titles, rows):
    for name, threads in bars.EXPECTED[what]:
        if not any(r["workload"] == name and threads in (None, r["threads"]) for r in rows):
            known = [name] + ([str(threads or "")] if "threads" in titles else [])
            blank = [""] * (len(titles) - len(known) - 2)
            bar = (bars.cpu_bar(name) if name in bars.CPU
                   else bars.level_bar(name) if name in bars.LEVELS else "")
            yield [*known, *blank, bar, "*unmeasured*"]


SUMMARY_TITLES = ["net", "batch", "direction", "threads", "isa", "weighted share of peak",
                  "lowest", "efficiency", "shapes", ""]


def efficiency(rows, alone):
    """The time of one thread over those of all added up, of the shapes that both took."""
    ours, one = ({r["workload"]: r["ours"] for r in some} for some in (rows, alone))
    both = ours.keys() & one.keys()
    threads = rows[0]["threads"]
    if threads == 1 or not both:
        return ""
    return f"{sum(one[n] for n in both) / threads / sum(ours[n] for n in both):.2f}"


def conv_summary(rows):
    """A line for each net, batch and direction: the share weighted by operations, the lowest."""
    groups = {}
    for name, s in bars.CONV.items():
        groups.setdefault((s.net, str(s.batch), s.direction), []).append(name)
    for (net, batch, direction), names in groups.items():
        mine = [row for row in rows if row["workload"] in names]
        if not mine:
            yield [net, batch, direction, "", "", "", "", "", f"0 of {len(names)}", "*unmeasured*"]
        for threads, isa in sorted({(row["threads"], row["isa"]) for row in mine}):
            with_these = [row for row in mine if (row["threads"], row["isa"]) == (threads, isa)]
            one = {r["workload"]: (r["impls"][r["impl"]]["share_of_peak"], r["flops"])
                   for r in with_these}
            weighted = sum(s * f for s, f in one.values()) / sum(f for _, f in one.values())
            lowest = min(one, key=one.get)
            disturbed = any(row["status"] != "measured" for row in with_these)
            alone = [row for row in mine if (row["threads"], row["isa"]) == (1, isa)]
            yield [net, batch, direction, str(threads), isa, f"{weighted:.1%}",
                   f"{one[lowest][0]:.1%} {lowest.split('_', 2)[2].partition('_b')[0]}",
                   efficiency(with_these, alone), f"{len(one)} of {len(names)}", "disturbed" if disturbed else ""]


def provenance(rows):
    """One line for each set of circumstances under which rows were taken."""
    seen = {}
    for row in rows:
        v = row["versions"]
        key = (f"{row['cpu']}, {row['isa']}; deephealth {v['deephealth']} ({v['commit']}), "
               f"{v['compiler']}" + (f"; {row['peer_version']}" if row.get("peer_version") else ""))
        entry = seen.setdefault(key, {"dates": [], "peaks": {}})
        entry["dates"].append(row["date"])
        if row["fma_peak_gflops"]:
            entry["peaks"].setdefault(row["threads"], []).append(row["fma_peak_gflops"])
    for key, entry in seen.items():
        first, last = min(entry["dates"]), max(entry["dates"])
        peaks = ", ".join(f"{min(p):.0f} to {max(p):.0f} GFLOP/s with {t} thread{'s' * (t > 1)}"
                          for t, p in sorted(entry["peaks"].items()))
        yield (f"Taken {first}{' to ' + last if last != first else ''} on {key}."
               + (f" FMA peak: {peaks}." if peaks else ""))
        yield ""


def of_roofline(rows):
    """Threads and instruction set whose rows are drawn, as one machine's peak and memory are: those
    with which most shapes were taken, of equals the greater."""
    sets = collections.Counter((row["threads"], row["isa"]) for row in rows)
    return max(sets, key=lambda s: (sets[s], s[0], WIDTHS.index(s[1])))


def draw_roofline(root):
    rows = [row for row in load(root, "conv") if row.get("read_gbs")]
    if rows:
        most = of_roofline(rows)
        drawn = roofline.svg([r for r in rows if (r["threads"], r["isa"]) == most], bars.CONV)
        with open(os.path.join(root, "docs", "roofline.svg"), "w") as f:
            f.write(drawn)


def write_page(root):
    draw_roofline(root)
    serving.write(root, load(root, "conv"), markdown, provenance)
    text = "\n".join([PAGE_HEAD] + [section(root, what) for what in bars.EXPECTED])
    with open(os.path.join(root, "docs", "benchmarks.md"), "w") as f:
        f.write(text.rstrip() + "\n")
