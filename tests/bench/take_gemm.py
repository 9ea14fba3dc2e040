# SPDX-License-Identifier: MIT
"""Products of matrices, beside OpenBLAS, MKL and PyTorch."""
import glob
import statistics

import bars
from measure import CONTENDER, SECONDS, BenchError, Program, Rounds, ratio_row, run, say
from place import program, script, text_of

CORE_TYPES = ["Haswell", "Zen", "SkylakeX", "Cooperlake", "SapphireRapids"]


def blas(library, core, shape, threads, seconds):
    env = {"OMP_NUM_THREADS": str(threads)}
    if core:
        env["OPENBLAS_CORETYPE"] = core
    m, n, k, ta, tb = shape
    return run([program("bench_blas"), library, m, n, k, threads, seconds, ta, tb], env)


def blas_peers(bench):
    """name -> (library, core type) of all that run on this CPU, each kernel set once."""
    where = "import sysconfig; print(sysconfig.get_path('platlib'))"
    site = text_of([bench.o.python, "-c", where])
    libraries = ["libopenblas.so.0", *glob.glob(f"{site}/numpy.libs/libscipy_openblas*.so"),
                 f"{site}/torch/lib/libtorch_cpu.so"]
    peers = {}
    for library in libraries:
        for core in [None] if "torch" in library else CORE_TYPES:
            try:
                one = blas(library, core, (64, 64, 64, 0, 0), 1, 0.01)
            except BenchError as error:
                say(f"left out: {str(error).splitlines()[-1]}")
                continue
            name = "PyTorch's MKL" if "torch" in library else one["impl"]
            peers.setdefault(name, (library, core))
    return peers


def product(bench, name, shape, threads, peers, peak):
    m, n, k, ta, tb = shape
    torch = Program([bench.o.python, script("peer_gemm.py")],
                    {"OMP_NUM_THREADS": str(threads)})

    def ask(peer, seconds):
        if peer == "torch.mm":
            return torch.ask(f"{m} {n} {k} {threads} {seconds} {ta} {tb}")
        return blas(*peers[peer], shape, threads, seconds)

    try:
        least = {}
        for peer in [*peers, "torch.mm"]:
            least[peer] = min(ask(peer, 0.2)["ms_min"] for _ in range(2))
        fastest = min(least.values())
        near = [p for p in least if least[p] <= CONTENDER * fastest]
        chosen = sorted(near, key=least.get)[:3]
        ours = [program("bench_gemm"), m, n, k, threads, SECONDS, ta, tb]
        sides = {"ours": lambda: run(ours)}
        for peer in chosen:
            sides[peer] = lambda peer=peer: ask(peer, SECONDS)
        large = name in bars.LARGE
        if large:
            sides["peak"] = lambda: bench.peak(threads)
        rounds = Rounds(sides, bench.o.pairs, bench.o.patience)
        version = ask("torch.mm", 0)["version"]
    finally:
        torch.stop()
    fields, _ = ratio_row(rounds, chosen, "ms_median", {p: p for p in chosen})
    if large:
        fields["share_of_peak"] = statistics.median(rounds.ratios("ours", "peak", "gflops"))
        peak = rounds.median("peak", "gflops")
    bench.add(workload=name, threads=threads, unit="ms", **fields,
              shape={"m": m, "n": n, "k": k, "trans_a": ta, "trans_b": tb},
              gflops=rounds.median("ours", "gflops"), fma_peak_gflops=peak,
              impl=rounds.used[0][1]["ours"]["impl"], tried_ms_min=least,
              peer_version="PyTorch " + version)


def take(bench):
    peers = blas_peers(bench)
    say("peers: " + ", ".join([*peers, "torch.mm"]))
    for threads in bench.o.threads or [1, 2]:
        peak = bench.clean_peak(threads)
        for name, shape in bars.GEMM_SHAPES.items():
            if bench.wants(name):
                with bench.failing(name):
                    product(bench, name, shape, threads, peers, peak)
