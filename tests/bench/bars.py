# SPDX-License-Identifier: MIT
"""What is measured, and what each figure must reach."""
import collections

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

# net -> training: batch, bars of time and memory; inference: batch -> bar of time (None: memory
# alone)
NETS = {
    "mnist_conv": ((100, 0.6, 0.5), {1: None, 100: 0.8}),
    "vgg16_cifar": ((100, 0.7, 0.6), {1: 0.8, 32: 0.7}),
    "vgg16_bn_cifar": ((100, 0.75, 0.6), {1: 0.8, 32: 0.7}),
    "resnet18_cifar": ((100, 0.7, 0.6), {1: 0.85, 32: 0.75}),
    "resnet50_cifar": ((100, 0.55, 0.6), {1: 0.9, 32: 0.9}),
    "vgg16": ((8, 0.5, 0.85), {1: 0.75, 32: 0.65}),
    "resnet50": ((16, 0.55, 0.6), {1: 0.9, 32: 0.9}),
    "mobilenet_v2": ((16, 0.6, 0.6), {1: 0.9, 32: 0.9}),
    "unet": ((4, 0.6, 0.6), {1: 0.7, 8: 0.7}),
}
# Ours trains at full_mem where that meets the bar of memory, else at mid_mem, which takes longer; time
# and memory are of the same runs
FULL_MEM = ("mnist_conv", "vgg16_cifar")
INFER_MEMORY = 0.7  # at batch 1, of OpenVINO's
# memory_of: the peer whose memory is compared; None: the fastest's
Task = collections.namedtuple("Task", "net train batch time memory memory_of level")


def tasks():
    for net, (train, infer) in NETS.items():
        yield Task(net, True, *train, None, "full_mem" if net in FULL_MEM else "mid_mem")
        for batch, time in infer.items():
            alone = batch == 1
            yield Task(net, False, batch, time, INFER_MEMORY if alone else None,
                       "OpenVINO" if alone else None, None)


CPU = {f"cpu_{t.net}_{'train' if t.train else 'infer'}_{t.batch}": t for t in tasks()}

Conv = collections.namedtuple("Conv", "net batch direction c side o window stride pad")


def vgg16_convs():
    for c, side, o in [(3, 224, 64), (64, 224, 64), (64, 112, 128), (128, 112, 128),
                       (128, 56, 256), (256, 56, 256), (256, 28, 512), (512, 28, 512),
                       (512, 14, 512)]:
        yield c, side, o, 3, 1, 1


def resnet50_convs():
    """The third block of a stage and those behind it are as the second."""
    yield 3, 224, 64, 7, 2, 3
    c, side = 64, 56
    for width in (64, 128, 256, 512):
        for first in (True, False):
            stride = 2 if first and width > 64 else 1
            yield c, side, width, 1, 1, 0
            yield width, side, width, 3, stride, 1
            yield width, side // stride, 4 * width, 1, 1, 0
            if first:
                yield c, side, 4 * width, 1, stride, 0
            c, side = 4 * width, side // stride


def conv_name(s):
    stride = f"s{s.stride}" if s.stride > 1 else ""
    return (f"conv_{s.net}_{s.window}x{s.window}{stride}_{s.c}to{s.o}_{s.side}_b{s.batch}"
            f"_{s.direction}")


DIRECTIONS = ("predict", "forward", "dx", "dw")  # predict: forward, where nothing learns
CONV = {conv_name(s): s for s in (
    Conv(net, batch, direction, *shape)
    for net, shapes in (("resnet50", resnet50_convs), ("vgg16", vgg16_convs))
    for batch in (1, 32) for direction in DIRECTIONS for shape in dict.fromkeys(shapes()))}

# levels of memory in training: the share of full_mem's activation bytes and time
Level = collections.namedtuple("Level", "net batch memory share time")
LEVELS = {f"memory_{level.net}_{level.batch}_{level.memory}": level for level in (
    Level("vgg16", 8, "mid_mem", 0.92, 1.15), Level("vgg16", 8, "low_mem", 0.5, 1.4),
    Level("unet", 4, "mid_mem", 0.8, 1.15), Level("unet", 4, "low_mem", 0.5, 1.4))}

# training on an OpenCL device: times the CPU's own time
Pair = collections.namedtuple("Pair", "net batch time")
OPENCL = {f"opencl_{pair.net}_train_{pair.batch}": pair for pair in (
    Pair("mlp", 100, 4), Pair("mnist_conv", 100, 4), Pair("resnet18_cifar", 100, None))}

# WHAT -> the rows that its table must have, as (workload, threads); None: any
EXPECTED = {
    "mnist": [("mnist_mlp", None)],
    "cpu": [(name, None) for name in CPU],
    "gemm": [(name, threads) for threads in (1, 2) for name in GEMM_SHAPES],
    "conv": [(name, None) for name in CONV],
    "memory": [(name, None) for name in LEVELS],
    "opencl": [(name, None) for name in OPENCL],
    "startup": [("library_minimal", None), ("startup_minimal", None), ("startup_release", None)],
}


def what_of(workload):
    what = workload.partition("_")[0]
    return what if what in EXPECTED else "startup"


def cpu_bar(name):
    limits = (("time", CPU[name].time), ("memory", CPU[name].memory))
    return ", ".join(f"{what} <= {most}" for what, most in limits if most)


def level_bar(name):
    return f"bytes <= {LEVELS[name].share}, time <= {LEVELS[name].time}"


def judge(row):
    """The row's bar in words, and whether it is met: None where there is no bar, or where too few
    undisturbed pairs were taken to say."""
    name = row["workload"]
    if name == "mnist_mlp":
        bar = f"time <= {MNIST_TIME}, memory <= {MNIST_MEMORY}"
        met = row["ratio"] <= MNIST_TIME and row["mem_ratio"] <= MNIST_MEMORY
    elif name in CPU:
        task = CPU[name]
        bar = cpu_bar(name)
        met = ((task.time is None or row["ratio"] <= task.time)
               and (task.memory is None or row["mem_ratio"] <= task.memory))
    elif name in LEVELS:
        level = LEVELS[name]
        bar = level_bar(name)
        met = row["ratio"] <= level.time and row["mem_ratio"] <= level.share
    elif name in OPENCL:
        time = OPENCL[name].time
        if not time:
            return None, None
        bar, met = f"time <= {time}", row["ratio"] <= time
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
