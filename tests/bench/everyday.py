"""Time of everyday commands, as ratios to another commit and to the least that a Dagster run costs.

`python -m tests.bench.everyday [--customers 5000] [--against HEAD^] [--runs 3]`: each of the two versions fills a home
of its own with `millpond demo`; then every command runs in turn, here and there, on that home, with nothing to do. The
floor is a script that imports Dagster and materializes one empty asset. CPU time counts all processes of a command.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from statistics import median
from time import perf_counter

from rich.console import Console
from rich.table import Table

from orchestration.configuration.settings import ROOT

# the console script; an older version has no module `entry`
MAIN = """
import sys
try:
    from orchestration.cli.entry import main
except ImportError:
    from orchestration.cli.main import main
sys.argv[0] = 'millpond'
main()
"""
FLOOR = """
import dagster as dg
@dg.asset
def empty() -> None: ...
dg.materialize([empty])
"""
MISTYPED = ("run", "custmers")
DIGEST = ("digest",)
# command -> the wall seconds that it should take at most, on two quiet cores
AIMS: Mapping[tuple[str, ...], float] = {
    ("run", "all"): 8,
    ("plan", "precoro__options"): 5,
    ("explain", "1001"): 0.6,
    ("plans",): 1,
    ("tables",): 1,
    ("validate",): 1,
    ("links",): 1,
    DIGEST: 1,
    MISTYPED: 1,
    ("--help",): 0.25,
    ("--version",): 0.25,
}


@dataclass(frozen=True)
class Cost:
    """Seconds of one process and all of its children."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Version:
    """One version of the project, with a home that it filled."""

    code: Path
    home: Path

    def run(self, *arguments: str) -> Cost:
        """Run a command to its end."""
        variables = {**os.environ, "PYTHONPATH": str(self.code), "MILLPOND_HOME": str(self.home), "DEMO_UI": "0"}
        for name in ("DAGSTER_HOME", "MILLPOND_WORKFLOWS", "MILLPOND_MODE"):
            variables.pop(name, None)
        if arguments == DIGEST:
            variables["MILLPOND_WORKFLOWS"] = str(with_steward(self.code, self.home.with_suffix(".workflows")))
        command = [sys.executable, "-W", "ignore", "-c", MAIN, *arguments]
        return cost_of(command, self.code, variables, expected=2 if arguments == MISTYPED else 0)


def with_steward(code: Path, folder: Path) -> Path:
    """Return a folder with a version's workflow files, each of which names a steward."""
    if not folder.exists():
        copytree(code / "orchestration" / "workflows", folder)
        for file in folder.glob("*/defs.yaml"):
            text = file.read_text(encoding="utf-8")
            named = "\nattributes:\n  stewards: [ada@example.com]\n"
            file.write_text(text.replace("\nattributes:\n", named, 1), encoding="utf-8")
    return folder


def cost_of(
    command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None, *, expected: int = 0
) -> Cost:
    """Run a process without output and return what it took; exit if it ends in another way than expected."""
    began = perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != expected:
        sys.exit(f"{command} in {folder} ended with {process.returncode}")
    return Cost(perf_counter() - began, usage.ru_utime + usage.ru_stime)


def median_of(costs: Sequence[Cost]) -> Cost:
    """Return the medians, each of its own."""
    return Cost(median(each.wall for each in costs), median(each.cpu for each in costs))


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Yield a folder with the files of a commit; the repository itself stays as it is."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        yield Path(folder)


def measure(here: Version, there: Version, runs: int) -> Iterator[tuple[tuple[str, ...], Cost, Cost, float]]:
    """Yield each command with its cost here and there, and the median of the CPU ratios of the pairs."""
    for command in AIMS:
        pairs = [(here.run(*command), there.run(*command)) for _ in range(runs + 1)][1:]  # the first one fills caches
        ours, theirs = [each[0] for each in pairs], [each[1] for each in pairs]
        ratio = median(our.cpu / their.cpu for our, their in pairs)
        yield command, median_of(ours), median_of(theirs), ratio


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=5000)
    parser.add_argument("--against", default="HEAD^", metavar="COMMIT")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    console = Console(width=120)
    with checked_out(options.against) as before, tempfile.TemporaryDirectory() as homes:
        here, there = Version(ROOT, Path(homes) / "here"), Version(before, Path(homes) / "there")
        filled = [version.run("demo", "--customers", str(options.customers)) for version in (here, there)]
        floor = median_of([cost_of([sys.executable, "-W", "ignore", "-c", FLOOR], ROOT) for _ in range(options.runs)])
        table = Table(
            "command", "wall s", "CPU s", f"CPU s, {options.against}", "ratio", "x floor", "aim, wall s",
            title=f"{options.customers:,} customers, nothing to do, {options.runs} runs; floor"
            f" {floor.wall:.2f} s, CPU {floor.cpu:.2f} s",
        )  # fmt: skip
        demo_ratio = filled[0].cpu / filled[1].cpu
        _add(table, ("demo",), filled[0], filled[1], demo_ratio, floor, 20)
        for command, ours, theirs, ratio in measure(here, there, options.runs):
            _add(table, command, ours, theirs, ratio, floor, AIMS[command])
            console.print(f"{' '.join(command)}: {ours.wall:.2f} s", style="dim")
        console.print(table)


def _add(table: Table, command: Sequence[str], ours: Cost, theirs: Cost, ratio: float, floor: Cost, aim: float) -> None:
    numbers = [ours.wall, ours.cpu, theirs.cpu, ratio, ours.cpu / floor.cpu]
    table.add_row(f"millpond {' '.join(command)}", *(f"{each:.2f}" for each in numbers), f"{aim:g}")


if __name__ == "__main__":
    main()
