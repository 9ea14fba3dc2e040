# SPDX-License-Identifier: MIT
"""Takes the figures of one WHAT; run.sh prepares what it needs and starts it."""
import argparse
import contextlib
import datetime
import json
import os
import re
import sys

import bars
import report
import take_conv
import take_cpu
import take_gemm
import take_memory
import take_mnist
import take_opencl
import take_startup
from measure import BenchError, run, say, wait_quiet
from place import ROOT, WORK, program, versions

TAKERS = {"mnist": take_mnist, "cpu": take_cpu, "gemm": take_gemm, "conv": take_conv,
          "memory": take_memory, "opencl": take_opencl, "startup": take_startup}


class Bench:
    def __init__(self, options):
        self.o = options
        self.rows = []
        self.failed = False
        peak = self.peak(1)
        self.common = {"cpu": peak["cpu"], "isa": peak["isa"], "versions": versions(),
                       "date": datetime.datetime.now().strftime("%Y-%m-%d %H:%M")}

    def peak(self, threads):
        return run([program("bench_gemm"), "peak", threads])

    def clean_peak(self, threads):
        """The FMA peak of a moment when others left the machine alone, else the best one seen."""
        best = None
        for _ in range(5):
            wait_quiet(min(10, self.o.patience))
            one = self.peak(threads)
            if best is None or one["gflops"] > best["gflops"]:
                best = one
            if one["others"] <= 0.05:
                break
        return best["gflops"]

    def add(self, **fields):
        row = {"workload": None, "threads": None, "unit": None, "ours": None, "peer": None,
               "peer_name": None, "ratio": None, "ratio_min": None, "ratio_max": None,
               "peak_rss_ours": None, "peak_rss_peer": None, "mem_ratio": None, "pairs": 0,
               "dropped": 0, "status": "measured", "fma_peak_gflops": None, **self.common,
               **fields}
        row["bar"], row["met"] = bars.judge(row)
        self.rows.append(row)
        say(report.row_text(row))

    def wants(self, name):
        return not self.o.only or re.search(self.o.only, name)

    @contextlib.contextmanager
    def failing(self, name):
        """What is taken within may fail; the next goes on."""
        try:
            yield
        except BenchError as error:
            say(f"{name}: {error}")
            self.failed = True


def main():
    parser = argparse.ArgumentParser(prog="run.sh")
    parser.add_argument("what", choices=[*TAKERS, "all"])
    parser.add_argument("--json", help="default build/bench/WHAT.json")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=lambda s: [int(x) for x in s.split()],
                        help='"1 2"; default: all cores, gemm 1 and 2')
    parser.add_argument("--only", help="cpu, gemm, conv, memory, opencl: only workloads that "
                             "match this expression")
    parser.add_argument("--patience", type=float, default=60,
                        help="seconds a row may wait for a quiet machine (default 60)")
    parser.add_argument("--ceiling", type=float, default=20, metavar="SECONDS",
                        help="cpu: a side whose ten steps take longer makes fewer, at least three "
                             "(default 20)")
    parser.add_argument("--docs", action="store_true",
                        help="keep the rows in tests/bench/results and write docs/benchmarks.md")
    parser.add_argument("--python", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--data", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()

    bench = Bench(options)
    for what in TAKERS if options.what == "all" else [options.what]:
        with bench.failing(what):
            TAKERS[what].take(bench)
    path = options.json or os.path.join(WORK, f"{options.what}.json")
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w") as f:
        json.dump({"rows": bench.rows}, f, indent=1)
        f.write("\n")
    print(report.table(bench.rows))
    if options.docs:
        report.keep(ROOT, bench.rows)
        report.write_page(ROOT)
    sys.exit(1 if bench.failed else 0)


if __name__ == "__main__":
    main()
