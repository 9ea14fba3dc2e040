# SPDX-License-Identifier: MIT
"""Nets of the zoo, training and inference, beside PyTorch, ONNX Runtime and OpenVINO."""
import os
import tempfile

import bars
from measure import (LIMIT, SECONDS, BenchError, Rounds, contenders, ratio_row, run, say,
                     wait_quiet)
from place import WORK, example, script

MODES = {"PyTorch": [], "PyTorch, SGD not fused": ["--plain-sgd"],
         "PyTorch channels-last": ["--channels-last"], "PyTorch compile": ["--compile"],
         "PyTorch compile, channels-last": ["--compile", "--channels-last"]}
RUNTIMES = {"ONNX Runtime": "onnxruntime", "OpenVINO": "openvino"}
BRIEF = (1, 3)  # seconds and steps of the runs that choose the peers
STEPS, LEAST_STEPS = 10, 3


def environment(threads):
    """Compiled code is kept, so that it is made in the first run alone."""
    return {"OMP_NUM_THREADS": str(threads), "TORCHINDUCTOR_COMPILE_THREADS": "1",
            "TORCHINDUCTOR_CACHE_DIR": os.path.join(WORK, "inductor")}


def callers(bench, task, threads, folder):
    """name -> function of seconds and steps that runs that side."""
    env = environment(threads)
    how = ["--train" if task.train else "--infer", "--batch", task.batch, "--threads", threads]

    def caller(*command):
        return lambda seconds, steps: run([*command, "--seconds", seconds, "--steps", steps], env)

    level = ["--memory", task.level] if task.train else []
    sides = {"ours": caller(example("bench_net"), task.net, *how, *level, "--json", "/dev/stdout")}
    for name, flags in MODES.items():
        if task.train or "--plain-sgd" not in flags:
            sides[name] = caller(bench.o.python, script("peer_net.py"), task.net, *how, *flags)
    if task.train:
        return sides
    path = os.path.join(folder, "net.onnx")
    try:
        made = run([bench.o.python, script("peer_net.py"), task.net, "--export", path,
                    "--batch", task.batch], env)
    except BenchError as error:
        say(f"{', '.join(RUNTIMES)} are left out: {error}")
        return sides
    shape = " ".join(str(side) for side in made["input"])
    for name, runtime in RUNTIMES.items():
        sides[name] = caller(bench.o.python, script("peer_runtime.py"), runtime, path,
                             "--input", shape, "--threads", threads)
    return sides


def brief(bench, call):
    """A short run; once more where others disturbed it."""
    wait_quiet(min(20, bench.o.patience))
    one = call(*BRIEF)
    return one if one["others"] <= LIMIT else min(one, call(*BRIEF), key=lambda r: r["median_ms"])


def try_all(bench, workload, sides):
    tried = {}
    for name, call in sides.items():
        say(f"{workload}: trying {name}")
        try:
            tried[name] = brief(bench, call)
        except BenchError as error:
            if name == "ours":
                raise
            say(f"{name} is left out: {error}")
    return tried.pop("ours"), tried


def check_same(workload, ours, tried):
    """Nobody computes another net."""
    say(f"{workload}: {ours['params']} parameters, output {ours['output']}")
    for name, one in tried.items():
        for key in ("params", "output"):
            if one.get(key, ours[key]) != ours[key]:
                raise BenchError(f"{name} has {key} {one[key]}, ours {ours[key]}")


def take_row(bench, workload, task, threads, folder):
    sides = callers(bench, task, threads, folder)
    ours, tried = try_all(bench, workload, sides)
    check_same(workload, ours, tried)
    if not tried:
        raise BenchError("no peer runs here")
    chosen = contenders(tried, "median_ms")
    if task.memory_of:
        if task.memory_of not in tried:
            raise BenchError(f"{task.memory_of}, whose memory is compared, does not run here")
        chosen = list(dict.fromkeys([*chosen, task.memory_of]))
    slowest = max(one["median_ms"] for one in (ours, *(tried[name] for name in chosen)))
    steps = int(max(LEAST_STEPS, min(STEPS, 1e3 * bench.o.ceiling / slowest)))
    rounds = Rounds({name: lambda name=name: sides[name](SECONDS, steps)
                     for name in ["ours", *chosen]}, bench.o.pairs, bench.o.patience)
    fields, best = ratio_row(rounds, chosen, "median_ms", {name: name for name in chosen})
    lean = task.memory_of or best
    net = {name: rounds.median(name, "net_rss_bytes") if name in chosen else one["net_rss_bytes"]
           for name, one in tried.items()}
    net_ours = rounds.median("ours", "net_rss_bytes")
    bench.add(workload=workload, threads=threads, unit="ms", **fields,
              level=task.level, params=ours["params"], output=ours["output"], least_steps=steps,
              peak_rss_ours=rounds.median("ours", "peak_rss_bytes"),
              peak_rss_peer=rounds.median(lean, "peak_rss_bytes"), mem_peer=lean,
              net_rss_ours=net_ours, net_rss_peer=net[lean], mem_ratio=net_ours / net[lean],
              mem_ratio_leanest_mode=net_ours / min(net.values()),
              tried={name: {"median_ms": one["median_ms"], "net_rss": net[name]}
                     for name, one in tried.items()},
              fma_peak_gflops=bench.clean_peak(threads),
              peer_version=", ".join(dict.fromkeys(one["version"] for one in tried.values())))


def take(bench):
    os.makedirs(WORK, exist_ok=True)
    for threads in bench.o.threads or [len(os.sched_getaffinity(0))]:
        for workload, task in bars.CPU.items():
            if bench.wants(workload):
                with bench.failing(workload), tempfile.TemporaryDirectory(dir=WORK) as folder:
                    take_row(bench, workload, task, threads, folder)
