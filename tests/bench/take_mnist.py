# SPDX-License-Identifier: MIT
"""Training an MLP on MNIST, beside PyTorch."""
import os

from measure import SECONDS, BenchError, Rounds, contenders, ratio_row, run, say, wait_quiet
from place import program, script


def mlp_mode(bench, mode, threads, *more):
    return run([bench.o.python, script("peer_mlp.py"), "--data", bench.o.data,
                "--threads", threads, "--mode", mode, *more],
               {"OMP_NUM_THREADS": str(threads), "TORCHINDUCTOR_COMPILE_THREADS": "1"})


def mlp(bench, threads):
    tried = {}
    for mode in ("eager", "fused", "compile"):
        say(f"mnist_mlp, {threads} threads: trying PyTorch {mode}")
        for _ in range(2):
            try:
                wait_quiet(min(20, bench.o.patience))
                one = mlp_mode(bench, mode, threads, "--steps", 100, "--seconds", 1)
            except BenchError as error:
                say(f"PyTorch {mode} is left out: {error}")
                break
            if mode not in tried or one["seconds_per_epoch"] < tried[mode]["seconds_per_epoch"]:
                tried[mode] = one
    if not tried:
        raise BenchError("no mode of PyTorch runs here")
    modes = contenders(tried, "seconds_per_epoch")
    sides = {"ours": lambda: run([program("bench_mlp"), "--data", bench.o.data, "--threads",
                                  threads, "--seconds", SECONDS])}
    for mode in modes:
        sides[mode] = lambda mode=mode: mlp_mode(bench, mode, threads, "--seconds", SECONDS)
    rounds = Rounds(sides, bench.o.pairs, bench.o.patience)
    names = {mode: f"PyTorch {mode}" for mode in tried}
    fields, best = ratio_row(rounds, modes, "seconds_per_epoch", names)
    net = {m: rounds.median(m, "net_rss_bytes") if m in modes else tried[m]["net_rss_bytes"]
           for m in tried}
    ours = rounds.median("ours", "net_rss_bytes")
    bench.add(workload="mnist_mlp", threads=threads, unit="s/epoch", **fields,
              peak_rss_ours=rounds.median("ours", "peak_rss_bytes"),
              peak_rss_peer=rounds.median(best, "peak_rss_bytes"),
              net_rss_ours=ours, net_rss_peer=net[best], mem_ratio=ours / net[best],
              mem_ratio_leanest_mode=ours / min(net.values()),
              tried={names[m]: {"seconds_per_epoch": tried[m]["seconds_per_epoch"],
                                "net_rss": net[m]} for m in tried},
              fma_peak_gflops=bench.clean_peak(threads),
              peer_version="PyTorch " + tried[best]["version"])


def take(bench):
    for threads in bench.o.threads or [len(os.sched_getaffinity(0))]:
        mlp(bench, threads)
