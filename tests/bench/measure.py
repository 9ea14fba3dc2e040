# SPDX-License-Identifier: MIT
"""Runs programs one after the other and says how much of the machine others took meanwhile.

A measured program prints lines of JSON on stdout. {"mark": "timed"} says that its preparation is
over and the time to watch begins; the last line is its result. Programs without a mark are watched
from their start. A pair, one run of each side, is dropped when in one of its runs other processes
and steal took more than LIMIT of the machine: the same rule for every side.
"""
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

LIMIT = 0.15
SECONDS = 2  # of each side of a pair
CONTENDER = 1.10  # peers slower than the fastest by more are left out of the pairs
MOST_PEERS = 3
LEAST_PAIRS = 5
TICK = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """A program failed; the text says which and what it printed."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def machine_cpu():
    """Seconds of CPU time that all processes, interrupts and steal took since boot; CPUs."""
    with open("/proc/stat") as f:
        lines = f.read().splitlines()
    user, nice, system, _, _, irq, softirq, steal = [int(x) for x in lines[0].split()[1:9]]
    cpus = sum(1 for line in lines if line.startswith("cpu")) - 1
    return (user + nice + system + irq + softirq + steal) / TICK, cpus


def process_cpu(pid):
    """Seconds of CPU time of a process, its threads and the children it waited for."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return sum(int(x) for x in fields[11:15]) / TICK


class Watch:
    """How much of the machine others took since the watch began: all but this process, its ended
    children and the running one that pid names."""

    def __init__(self, pid=None):
        self.pid = pid
        self.begin()

    def own(self):
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (time.process_time() + ended.ru_utime + ended.ru_stime
                + (process_cpu(self.pid) if self.pid else 0))

    def begin(self):
        self.start, self.own_start = time.monotonic(), self.own()
        self.busy, self.cpus = machine_cpu()

    def others(self):
        seconds = max(time.monotonic() - self.start, 1e-9)
        busy = machine_cpu()[0] - self.busy - (self.own() - self.own_start)
        return max(busy, 0) / (seconds * self.cpus)


class Program:
    """A running program; answer() reads its lines up to the next result."""

    def __init__(self, command, env=None):
        self.command = [str(part) for part in command]
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=self.errors,
                                        env={**os.environ, **(env or {})})
        self.watch = Watch(self.process.pid)

    def fail(self):
        self.process.kill()
        code = self.process.wait()
        self.errors.seek(0)
        tail = self.errors.read().decode(errors="replace")[-2000:]
        raise BenchError(f"{' '.join(self.command)}: ended with {code}\n{tail}")

    def answer(self):
        """The next result, with "others": the share of the machine that others took."""
        while line := self.process.stdout.readline():
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if "mark" in value:
                self.watch.begin()
                continue
            value["others"] = self.watch.others()
            if "start_rss_bytes" in value:
                value["net_rss_bytes"] = value["peak_rss_bytes"] - value["start_rss_bytes"]
            return value
        self.fail()

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.fail()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.read()
        if self.process.wait() != 0:
            self.fail()
        self.process.stdout.close()
        self.errors.close()


def run(command, env=None):
    program = Program(command, env)
    result = program.answer()
    program.close()
    return result


def wait_quiet(seconds):
    """Waits until others leave the machine alone, at most so long. Returns the seconds waited."""
    start = time.monotonic()
    while True:
        watch = Watch()
        time.sleep(0.3)
        if watch.others() <= LIMIT or time.monotonic() - start >= seconds:
            return time.monotonic() - start
        time.sleep(min(1, seconds))


def contenders(tried, key):
    """Those of the brief runs, name -> result, that take part in the pairs: the fastest and who is
    near it. A disturbed run rules nothing out."""
    fastest = min(one[key] for one in tried.values())
    near = [name for name, one in tried.items()
            if one.get("others", 0) > LIMIT or one[key] <= CONTENDER * fastest]
    return sorted(near, key=lambda name: tried[name][key])[:MOST_PEERS]


class Rounds:
    """Rounds of one run of each side, in turn, until enough of them were undisturbed."""

    def __init__(self, sides, pairs, patience):
        self.clean, disturbed = [], []
        tries = 0
        while len(self.clean) < pairs and tries < 3 * pairs:
            patience -= wait_quiet(patience) if patience > 0 else 0
            tries += 1
            one = {name: side() for name, side in sides.items()}
            worst = max(result["others"] for result in one.values())
            (self.clean if worst <= LIMIT else disturbed).append((worst, one))
            # nothing clean in a row of tries: more of them would not help
            if patience <= 0 and len(disturbed) >= pairs and len(self.clean) < tries // 3:
                break
        self.dropped = len(disturbed)
        self.enough = len(self.clean) >= max(pairs, LEAST_PAIRS)
        # too few of them: shown with the least disturbed, and as disturbed, never as measured
        disturbed.sort(key=lambda entry: entry[0])
        self.used = self.clean + disturbed[:max(pairs - len(self.clean), 0)]

    def values(self, side, key):
        return [one[side][key] for _, one in self.used]

    def median(self, side, key):
        return statistics.median(self.values(side, key))

    def ratios(self, side, other, key):
        return [a / b for a, b in zip(self.values(side, key), self.values(other, key))]


def ratio_row(rounds, peers, key, names):
    """The fields that every row of a comparison has. The peer is the fastest of the peers."""
    best = min(peers, key=lambda p: rounds.median(p, key))
    ratios = rounds.ratios("ours", best, key)
    return {
        "ours": rounds.median("ours", key), "peer": rounds.median(best, key),
        "peer_name": names[best], "ratio": statistics.median(ratios),
        "ratio_min": min(ratios), "ratio_max": max(ratios),
        "pairs": len(rounds.clean), "dropped": rounds.dropped,
        "status": "measured" if rounds.enough else "disturbed",
        "peers": {names[p]: {"median": rounds.median(p, key),
                             "ratio": statistics.median(rounds.ratios("ours", p, key))}
                  for p in peers},
    }, best
