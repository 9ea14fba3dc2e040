# SPDX-License-Identifier: MIT
"""Where things are, and which version of them."""
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RELEASE = os.path.join(ROOT, "build", "release")
WORK = os.path.join(ROOT, "build", "bench")


def program(name):
    return os.path.join(RELEASE, "tests", name)


def example(name):
    return os.path.join(RELEASE, "examples", name)


def script(name):
    return os.path.join(ROOT, "tests", "bench", name)


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
