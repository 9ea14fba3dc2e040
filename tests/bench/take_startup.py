# SPDX-License-Identifier: MIT
"""The size of the library and what its start takes."""
import os
import statistics
import subprocess

from measure import LIMIT, Watch, run, wait_quiet
from place import ROOT, WORK, script


def startup_runs(bench, binary, weights):
    """At least 21 undisturbed runs, watched seven at a time because one is too short for the
    ticks of /proc/stat; how many runs were dropped."""
    clean, disturbed, patience = [], [], bench.o.patience
    run([binary, weights])
    while len(clean) < 21 and len(disturbed) < 42:
        patience -= wait_quiet(patience) if patience > 0 else 0
        watch = Watch()
        batch = [run([binary, weights]) for _ in range(7)]
        (clean if watch.others() <= LIMIT else disturbed).extend(batch)
    enough = len(clean) >= 21
    return clean if enough else (clean + disturbed)[:21], len(disturbed), enough


def take(bench):
    os.makedirs(WORK, exist_ok=True)
    weights = os.path.join(WORK, "mlp.safetensors")
    for preset in ("minimal", "release"):
        built = os.path.join(ROOT, "build", preset, "src")
        stripped, binary = os.path.join(WORK, f"{preset}.so"), os.path.join(WORK, preset)
        subprocess.run(["strip", "-o", stripped, os.path.join(built, "libdeephealth.so")],
                       check=True)
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-std=gnu11",
                        f"-I{ROOT}/include", f"-I{ROOT}/examples",
                        script("bench_startup.c"), "-o", binary, f"-L{built}",
                        "-ldeephealth", f"-Wl,-rpath,{built}", "-lm"], check=True)
        subprocess.run([binary, "save", weights], check=True)
        runs, dropped, enough = startup_runs(bench, binary, weights)
        bench.add(workload=f"library_{preset}", unit="bytes", ours=os.path.getsize(stripped))
        times = [one["cpu_ms"] for one in runs]
        bench.add(workload=f"startup_{preset}", unit="ms CPU", ours=statistics.median(times),
                  ours_min=min(times), ours_max=max(times), runs=len(runs), dropped=dropped,
                  peak_rss_ours=statistics.median(one["peak_rss_bytes"] for one in runs),
                  threads=len(os.sched_getaffinity(0)),
                  status="measured" if enough else "disturbed")
