# SPDX-License-Identifier: MIT
"""Takes the figures of one WHAT; run.sh prepares what it needs and starts it."""
import argparse
import datetime
import glob
import json
import os
import re
import statistics
import subprocess
import sys

import bars
import report
from measure import (LIMIT, BenchError, Program, Rounds, Watch, ratio_row, run, say,
                     wait_quiet)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RELEASE = os.path.join(ROOT, "build", "release")
SECONDS = 2  # of each side of a pair
CONTENDER = 1.10  # peers slower than the fastest by more are left out of the pairs
CORE_TYPES = ["Haswell", "Zen", "SkylakeX", "Cooperlake", "SapphireRapids"]


def program(name):
    return os.path.join(RELEASE, "tests", name)


def text_of(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True,
                              cwd=ROOT).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def versions():
    with open(os.path.join(ROOT, "include/deephealth/version.h")) as f:
        numbers = re.findall(r"define DH_VERSION_\w+ (\d+)", f.read())
    with open(os.path.join(RELEASE, "CMakeCache.txt")) as f:
        compiler = re.search(r"^CMAKE_C_COMPILER:\w+=(.*)$", f.read(), re.M).group(1)
    return {"deephealth": ".".join(numbers),
            "commit": text_of(["git", "describe", "--always", "--dirty"]) or "unknown",
            "compiler": text_of([compiler, "--version"]).partition("\n")[0]}


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

    # --- mnist ---

    def mlp_mode(self, mode, threads, *more):
        return run([self.o.python, os.path.join(ROOT, "tests/bench/peer_mlp.py"), "--data",
                    self.o.data, "--threads", threads, "--mode", mode, *more],
                   {"OMP_NUM_THREADS": str(threads), "TORCHINDUCTOR_COMPILE_THREADS": "1"})

    def mnist(self):
        for threads in self.o.threads or [len(os.sched_getaffinity(0))]:
            self.mlp(threads)

    def mlp(self, threads):
        tried = {}
        for mode in ("eager", "fused", "compile"):
            say(f"mnist_mlp, {threads} threads: trying PyTorch {mode}")
            for _ in range(2):
                try:
                    wait_quiet(min(20, self.o.patience))
                    one = self.mlp_mode(mode, threads, "--steps", 100, "--seconds", 1)
                except BenchError as error:
                    say(f"PyTorch {mode} is left out: {error}")
                    break
                if mode not in tried or one["seconds_per_epoch"] < tried[mode]["seconds_per_epoch"]:
                    tried[mode] = one
        if not tried:
            raise BenchError("no mode of PyTorch runs here")
        fastest = min(one["seconds_per_epoch"] for one in tried.values())
        # a disturbed trial rules nothing out
        modes = [m for m, one in tried.items() if one["others"] > LIMIT
                 or one["seconds_per_epoch"] <= CONTENDER * fastest]
        sides = {"ours": lambda: run([program("bench_mlp"), "--data", self.o.data, "--threads",
                                      threads, "--seconds", SECONDS])}
        for mode in modes:
            sides[mode] = lambda mode=mode: self.mlp_mode(mode, threads, "--seconds", SECONDS)
        rounds = Rounds(sides, self.o.pairs, self.o.patience)
        names = {mode: f"PyTorch {mode}" for mode in tried}
        fields, best = ratio_row(rounds, modes, "seconds_per_epoch", names)
        for _, one in rounds.used:
            for result in one.values():
                result["net"] = result["peak_rss_bytes"] - result["start_rss_bytes"]
        net = {m: rounds.median(m, "net") if m in modes else
               tried[m]["peak_rss_bytes"] - tried[m]["start_rss_bytes"] for m in tried}
        ours = rounds.median("ours", "net")
        self.add(workload="mnist_mlp", threads=threads, unit="s/epoch", **fields,
                 peak_rss_ours=rounds.median("ours", "peak_rss_bytes"),
                 peak_rss_peer=rounds.median(best, "peak_rss_bytes"),
                 net_rss_ours=ours, net_rss_peer=net[best], mem_ratio=ours / net[best],
                 mem_ratio_leanest_mode=ours / min(net.values()),
                 tried={names[m]: {"seconds_per_epoch": tried[m]["seconds_per_epoch"],
                                   "net_rss": net[m]} for m in tried},
                 fma_peak_gflops=self.clean_peak(threads),
                 peer_version="PyTorch " + tried[best]["version"])

    # --- gemm ---

    def blas(self, library, core, shape, threads, seconds):
        env = {"OMP_NUM_THREADS": str(threads)}
        if core:
            env["OPENBLAS_CORETYPE"] = core
        m, n, k, ta, tb = shape
        return run([program("bench_blas"), library, m, n, k, threads, seconds, ta, tb], env)

    def blas_peers(self):
        """name -> (library, core type) of all that run on this CPU, each kernel set once."""
        where = "import sysconfig; print(sysconfig.get_path('platlib'))"
        site = text_of([self.o.python, "-c", where])
        libraries = ["libopenblas.so.0", *glob.glob(f"{site}/numpy.libs/libscipy_openblas*.so"),
                     f"{site}/torch/lib/libtorch_cpu.so"]
        peers = {}
        for library in libraries:
            for core in [None] if "torch" in library else CORE_TYPES:
                try:
                    one = self.blas(library, core, (64, 64, 64, 0, 0), 1, 0.01)
                except BenchError as error:
                    say(f"left out: {str(error).splitlines()[-1]}")
                    continue
                name = "PyTorch's MKL" if "torch" in library else one["impl"]
                peers.setdefault(name, (library, core))
        return peers

    def gemm(self):
        peers = self.blas_peers()
        say("peers: " + ", ".join([*peers, "torch.mm"]))
        for threads in self.o.threads or [1, 2]:
            peak = self.clean_peak(threads)
            for name, shape in bars.GEMM_SHAPES.items():
                if self.o.only and not re.search(self.o.only, name):
                    continue
                try:
                    self.product(name, shape, threads, peers, peak)
                except BenchError as error:
                    say(f"{name}: {error}")
                    self.failed = True

    def product(self, name, shape, threads, peers, peak):
        m, n, k, ta, tb = shape
        torch = Program([self.o.python, os.path.join(ROOT, "tests/bench/peer_gemm.py")],
                        {"OMP_NUM_THREADS": str(threads)})

        def ask(peer, seconds):
            if peer == "torch.mm":
                return torch.ask(f"{m} {n} {k} {threads} {seconds} {ta} {tb}")
            return self.blas(*peers[peer], shape, threads, seconds)

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
                sides["peak"] = lambda: self.peak(threads)
            rounds = Rounds(sides, self.o.pairs, self.o.patience)
            version = ask("torch.mm", 0)["version"]
        finally:
            torch.stop()
        fields, _ = ratio_row(rounds, chosen, "ms_median", {p: p for p in chosen})
        if large:
            fields["share_of_peak"] = statistics.median(rounds.ratios("ours", "peak", "gflops"))
            peak = rounds.median("peak", "gflops")
        self.add(workload=name, threads=threads, unit="ms", **fields,
                 shape={"m": m, "n": n, "k": k, "trans_a": ta, "trans_b": tb},
                 gflops=rounds.median("ours", "gflops"), fma_peak_gflops=peak,
                 impl=rounds.used[0][1]["ours"]["impl"], tried_ms_min=least,
                 peer_version="PyTorch " + version)

    # --- startup ---

    def startup(self):
        work = os.path.join(ROOT, "build", "bench")
        os.makedirs(work, exist_ok=True)
        weights = os.path.join(work, "mlp.safetensors")
        for preset in ("minimal", "release"):
            built = os.path.join(ROOT, "build", preset, "src")
            stripped, binary = os.path.join(work, f"{preset}.so"), os.path.join(work, preset)
            subprocess.run(["strip", "-o", stripped, os.path.join(built, "libdeephealth.so")],
                           check=True)
            subprocess.run([os.environ.get("CC", "cc"), "-O2", "-std=gnu11",
                            f"-I{ROOT}/include", f"-I{ROOT}/examples",
                            f"{ROOT}/tests/bench/bench_startup.c", "-o", binary, f"-L{built}",
                            "-ldeephealth", f"-Wl,-rpath,{built}", "-lm"], check=True)
            subprocess.run([binary, "save", weights], check=True)
            runs, dropped, enough = self.startup_runs(binary, weights)
            self.add(workload=f"library_{preset}", unit="bytes", ours=os.path.getsize(stripped))
            times = [one["cpu_ms"] for one in runs]
            self.add(workload=f"startup_{preset}", unit="ms CPU", ours=statistics.median(times),
                     ours_min=min(times), ours_max=max(times), runs=len(runs), dropped=dropped,
                     peak_rss_ours=statistics.median(one["peak_rss_bytes"] for one in runs),
                     threads=len(os.sched_getaffinity(0)),
                     status="measured" if enough else "disturbed")

    def startup_runs(self, binary, weights):
        """At least 21 undisturbed runs, watched seven at a time because one is too short for the
        ticks of /proc/stat; how many runs were dropped."""
        clean, disturbed, patience = [], [], self.o.patience
        run([binary, weights])
        while len(clean) < 21 and len(disturbed) < 42:
            patience -= wait_quiet(patience) if patience > 0 else 0
            watch = Watch()
            batch = [run([binary, weights]) for _ in range(7)]
            (clean if watch.others() <= LIMIT else disturbed).extend(batch)
        enough = len(clean) >= 21
        return clean if enough else (clean + disturbed)[:21], len(disturbed), enough


def main():
    parser = argparse.ArgumentParser(prog="run.sh")
    parser.add_argument("what", choices=["mnist", "gemm", "startup", "all"])
    parser.add_argument("--json", help="default build/bench/WHAT.json")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=lambda s: [int(x) for x in s.split()],
                        help='"1 2"; default: mnist all cores, gemm 1 and 2')
    parser.add_argument("--only", help="gemm: only workloads that match this expression")
    parser.add_argument("--patience", type=float, default=60,
                        help="seconds a row may wait for a quiet machine (default 60)")
    parser.add_argument("--docs", action="store_true",
                        help="keep the rows in tests/bench/results and write docs/benchmarks.md")
    parser.add_argument("--python", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--data", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()

    bench = Bench(options)
    whats = ["mnist", "gemm", "startup"] if options.what == "all" else [options.what]
    for what in whats:
        try:
            getattr(bench, what)()
        except BenchError as error:
            say(f"{what}: {error}")
            bench.failed = True
    path = options.json or os.path.join(ROOT, "build", "bench", f"{options.what}.json")
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
