"""How long `import maskwright` and `maskwright --help` take: the median of several processes, and of a bare Python.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import maskwright": ["-c", "import maskwright"],
    "maskwright --help": ["-m", "maskwright", "--help"],
}


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(9):  # in turn, so that a busy moment meets all of them
        for name, words in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *words], check=True, capture_output=True)
            times[name].append(time.perf_counter() - started)
    for name, seconds in times.items():
        print(f"{name:20} {statistics.median(seconds):.3f} s")


if __name__ == "__main__":
    main()
