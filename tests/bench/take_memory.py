# SPDX-License-Identifier: MIT
"""A training step at a lower level of memory beside the same step at full_mem."""
import os

import bars
from measure import SECONDS, Rounds, ratio_row, run
from place import example

STEPS = 3


def take_row(bench, workload, level, threads):
    def at(name):
        return run([example("bench_net"), level.net, "--train", "--batch", level.batch,
                    "--threads", threads, "--memory", name, "--seconds", SECONDS,
                    "--steps", STEPS, "--json", "/dev/stdout"])

    rounds = Rounds({"ours": lambda: at(level.memory), "full_mem": lambda: at("full_mem")},
                    bench.o.pairs, bench.o.patience)
    fields, _ = ratio_row(rounds, ["full_mem"], "median_ms", {"full_mem": "full_mem"})
    bytes_ours = rounds.median("ours", "activation_bytes")
    bytes_full = rounds.median("full_mem", "activation_bytes")
    bench.add(workload=workload, threads=threads, unit="ms", **fields,
              activation_bytes=bytes_ours, activation_bytes_full=bytes_full,
              mem_ratio=bytes_ours / bytes_full,
              peak_rss_ours=rounds.median("ours", "peak_rss_bytes"),
              peak_rss_peer=rounds.median("full_mem", "peak_rss_bytes"),
              fma_peak_gflops=bench.clean_peak(threads))


def take(bench):
    for threads in bench.o.threads or [len(os.sched_getaffinity(0))]:
        for workload, level in bars.LEVELS.items():
            if bench.wants(workload):
                with bench.failing(workload):
                    take_row(bench, workload, level, threads)
