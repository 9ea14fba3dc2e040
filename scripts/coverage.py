# SPDX-License-Identifier: MIT
"""Reads what gcov counted and holds src/ to its bars; coverage.sh prepares it.

    coverage.py BUILD [--report] [--missed]

A line counts once, whatever the number of objects it was compiled into (kernels are, for each
instruction set), and is run when it was in one of them.
"""
import collections
import glob
import json
import os
import re
import subprocess
import sys

SOURCE_BAR, READER_BAR = 0.90, 0.95
READERS = re.compile(r"src/(tensor/io_\w+|base/(inflate|yaml_\w+|field_text))\.c$")


def objects(build):
    """The notes of all objects of the library, also of those that no test ran."""
    return sorted(glob.glob(f"{build}/src/CMakeFiles/room_*.dir/**/*.gcno", recursive=True))


def count(build, root):
    """file under src/ -> {line: times run}"""
    lines = collections.defaultdict(dict)
    notes = objects(build)
    if not notes:
        raise SystemExit(f"coverage.py: no .gcno under {build}")
    for first in range(0, len(notes), 50):
        text = subprocess.run(["gcov", "--json-format", "--stdout", *notes[first:first + 50]],
                              cwd=build, capture_output=True, text=True, check=True).stdout
        for one in text.splitlines():
            if not one.startswith("{"):
                continue
            for file in json.loads(one)["files"]:
                path = os.path.relpath(os.path.join(root, file["file"]), root)
                if not path.startswith("src/"):
                    continue
                of = lines[path]
                for line in file["lines"]:
                    number = line["line_number"]
                    of[number] = max(of.get(number, 0), line["count"])
    return lines


class Share:
    def __init__(self, name, files):
        self.name = name
        self.run = sum(sum(1 for n in lines.values() if n > 0) for lines in files)
        self.all = sum(len(lines) for lines in files)

    def value(self):
        return self.run / self.all if self.all else 1.0

    def row(self):
        return f"{100 * self.value():6.1f} %  {self.run:6} of {self.all:6}  {self.name}"


def ranges(numbers):
    """[3, 4, 5, 9] -> "3-5 9" """
    text, numbers = [], sorted(numbers)
    for i, n in enumerate(numbers):
        if i and n == numbers[i - 1] + 1:
            text[-1][1] = n
        else:
            text.append([n, n])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in text)


def main(build, *options):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    build = os.path.abspath(build)
    lines = count(build, root)
    files = sorted((Share(path, [of]) for path, of in lines.items()), key=Share.value)
    rooms = {path.split("/")[1] for path in lines}
    rooms = sorted((Share(f"src/{room}/", [of for path, of in lines.items()
                                           if path.startswith(f"src/{room}/")]) for room in rooms),
                   key=Share.value)
    total = Share("src/", lines.values())
    readers = Share("readers", [of for path, of in lines.items() if READERS.match(path)])
    report = ["Lines run, by room:", *(s.row() for s in rooms), "", "By file:",
              *(s.row() for s in files), ""]
    if "--missed" in options:
        report += ["Lines not run:"]
        report += [f"{s.name}: {ranges([n for n, c in lines[s.name].items() if not c])}"
                   for s in files if s.run < s.all]
        report += [""]
    met = True
    for share, bar in ((readers, READER_BAR), (total, SOURCE_BAR)):
        good = share.value() >= bar
        met = met and good
        report.append(f"{share.row()}: at least {bar:.0%}, {'met' if good else 'NOT met'}")
    text = "\n".join(report) + "\n"
    with open(os.path.join(build, "report.txt"), "w") as f:
        f.write(text)
    print(text, end="")
    return 0 if met or "--report" in options else 1


sys.exit(main(*sys.argv[1:]))
