# SPDX-License-Identifier: MIT
"""What is measured, and what each figure must reach."""

# "at most 1.0" of a peer means that the median of the ratios is at most this
EQUAL = 1.05
MNIST_TIME, MNIST_MEMORY = 0.55, 0.4
SHARE_OF_PEAK = 0.85
LIBRARY_BYTES, STARTUP_MS = 3_000_000, 30

# name -> m, n, k, A transposed, B transposed: the products of a step of the MLP at batch 100
# (y = x w, dx = dy w^T, dw = x^T dy), then cubes
GEMM_SHAPES = {
    "gemm_y_100x1024x784": (100, 1024, 784, 0, 0),
    "gemm_y_100x1024x1024": (100, 1024, 1024, 0, 0),
    "gemm_y_100x10x1024": (100, 10, 1024, 0, 0),
    "gemm_dx_100x1024x1024": (100, 1024, 1024, 0, 1),
    "gemm_dx_100x1024x10": (100, 1024, 10, 0, 1),
    "gemm_dw_784x1024x100": (784, 1024, 100, 1, 0),
    "gemm_dw_1024x1024x100": (1024, 1024, 100, 1, 0),
    "gemm_dw_1024x10x100": (1024, 10, 100, 1, 0),
    **{f"gemm_{n}": (n, n, n, 0, 0) for n in (64, 128, 256, 512, 1024, 2048)},
}
LARGE = {"gemm_512", "gemm_1024", "gemm_2048"}

# WHAT -> the rows that its table must have, as (workload, threads); None: any
EXPECTED = {
    "mnist": [("mnist_mlp", None)],
    "gemm": [(name, threads) for threads in (1, 2) for name in GEMM_SHAPES],
    "startup": [("library_minimal", None), ("startup_minimal", None), ("startup_release", None)],
}


def what_of(workload):
    if workload.startswith("mnist_"):
        return "mnist"
    return "gemm" if workload.startswith("gemm_") else "startup"


def judge(row):
    """The row's bar in words, and whether it is met: None where there is no bar, or where too few
    undisturbed pairs were taken to say."""
    name = row["workload"]
    if name == "mnist_mlp":
        bar = f"time <= {MNIST_TIME}, memory <= {MNIST_MEMORY}"
        met = row["ratio"] <= MNIST_TIME and row["mem_ratio"] <= MNIST_MEMORY
    elif name.startswith("gemm_"):
        bar, met = "time <= 1.0", row["ratio"] <= EQUAL
        if name in LARGE:
            bar += f", >= {SHARE_OF_PEAK:.0%} of peak"
            met = met and row["share_of_peak"] >= SHARE_OF_PEAK
    elif name == "library_minimal":
        bar, met = "<= 3 MB", row["ours"] <= LIBRARY_BYTES
    elif name.startswith("startup_"):
        bar, met = f"<= {STARTUP_MS} ms", row["ours"] <= STARTUP_MS
    else:
        return None, None
    return bar, met if row["status"] == "measured" else None
