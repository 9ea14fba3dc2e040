# SPDX-License-Identifier: MIT
"""The convolutions of ResNet50 and VGG16, each implementation beside the FMA peak."""
import os
import statistics

import bars
from measure import BenchError, Rounds, run
from place import program

SECONDS = 0.5  # of each implementation in a round, at least two runs of it


def take_row(bench, workload, shape, threads, read_gbs):
    command = [program("bench_conv"), shape.direction, shape.batch, shape.c, shape.side, shape.o,
               shape.window, shape.stride, shape.pad, threads]
    impls = [name for name in run(command)["impls"] if name != "plain"]
    if not impls:
        raise BenchError("no implementation but the plain one takes it")
    sides = {name: lambda name=name: run([*command, name, SECONDS]) for name in impls}
    rounds = Rounds({**sides, "peak": lambda: bench.peak(threads)}, bench.o.pairs,
                    bench.o.patience)
    last = rounds.used[-1][1]
    bench.add(workload=workload, threads=threads, unit="ms", impl=impls[0],
              ours=rounds.median(impls[0], "ms_median"), flops=last[impls[0]]["flops"],
              read_gbs=read_gbs,
              impls={name: {"ms": rounds.median(name, "ms_median"),
                            "share_of_peak": statistics.median(
                                rounds.ratios(name, "peak", "gflops")),
                            **{key: last[name][key]
                               for key in ("scratch_bytes", "error_rms", "error_max")}}
                     for name in impls},
              pairs=len(rounds.clean), dropped=rounds.dropped,
              status="measured" if rounds.enough else "disturbed",
              fma_peak_gflops=rounds.median("peak", "gflops"))


def take(bench):
    for threads in bench.o.threads or [len(os.sched_getaffinity(0))]:
        wanted = {name: shape for name, shape in bars.CONV.items() if bench.wants(name)}
        with bench.failing("memory"):
            read_gbs = run([program("bench_memory"), threads, 2 * SECONDS])["read_gbs"]
            for workload, shape in wanted.items():
                with bench.failing(workload):
                    take_row(bench, workload, shape, threads, read_gbs)
