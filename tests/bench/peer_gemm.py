# SPDX-License-Identifier: MIT
"""torch.mm, timed as bench_gemm times our product. Reads lines "M N K THREADS SECONDS TA TB",
answers each with a line of JSON and sleeps in between. The result goes into a matrix that is there
already."""
import json
import statistics
import sys
import time

import torch


def matrix(rows, columns, transposed):
    generator = torch.Generator().manual_seed(12345)
    shape = (columns, rows) if transposed else (rows, columns)
    x = torch.rand(shape, generator=generator) - 0.5
    return x.t() if transposed else x


def measure(m, n, k, threads, seconds, ta, tb):
    torch.set_num_threads(threads)
    a, b, c = matrix(m, k, ta), matrix(k, n, tb), torch.empty(m, n)
    mm, now = torch.mm, time.perf_counter
    for _ in range(3):
        mm(a, b, out=c)
    print(json.dumps({"mark": "timed"}), flush=True)
    times = []
    start = before = now()
    while not times or (before - start < seconds and len(times) < 1000000):
        mm(a, b, out=c)
        after = now()
        times.append(after - before)
        before = after
    median = statistics.median(times)
    print(json.dumps({"ms_median": median * 1e3, "ms_min": min(times) * 1e3,
                      "gflops": 2e-9 * m * n * k / median, "impl": "torch.mm",
                      "threads": torch.get_num_threads(), "version": torch.__version__}),
          flush=True)


with torch.inference_mode():
    for line in sys.stdin:
        words = line.split()
        measure(*map(int, words[:4]), float(words[4]), words[5] == "1", words[6] == "1")
