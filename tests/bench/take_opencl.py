# SPDX-License-Identifier: MIT
"""A training step on the first OpenCL device beside the same step on the CPU, both our own."""
import os

import bars
from measure import SECONDS, Rounds, ratio_row, run
from place import example

STEPS = 3


def take_row(bench, workload, pair, threads):
    def on(device):
        return run([example("bench_net"), pair.net, "--train", "--batch", pair.batch,
                    "--threads", threads, "--device", device, "--seconds", SECONDS,
                    "--steps", STEPS, "--json", "/dev/stdout"])

    rounds = Rounds({"ours": lambda: on("opencl"), "cpu": lambda: on("cpu")},
                    bench.o.pairs, bench.o.patience)
    fields, _ = ratio_row(rounds, ["cpu"], "median_ms", {"cpu": "cpu"})
    bench.add(workload=workload, threads=threads, unit="ms", **fields,
              peak_rss_ours=rounds.median("ours", "peak_rss_bytes"),
              peak_rss_peer=rounds.median("cpu", "peak_rss_bytes"),
              fma_peak_gflops=bench.clean_peak(threads))


def take(bench):
    threads = len(os.sched_getaffinity(0))  # a device takes them all
    for workload, pair in bars.OPENCL.items():
        if bench.wants(workload):
            with bench.failing(workload):
                take_row(bench, workload, pair, threads)
