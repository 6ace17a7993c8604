"""Many rehearsals at once: `python -m tests.bench.simulate_many --days 30 --seeds 300`.

Each seed has its weather and its workflows: those of one target or of both, with what they need. The summary has the
days, the checks that failed, and the certificates' claims and lies; each failure has the line that repeats it.
"""

import argparse
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from traceback import format_exc

from orchestration.configuration.settings import ROOT
from orchestration.simulation.options import Faults, Options
from orchestration.simulation.rehearse import rehearse
from orchestration.simulation.replay import document, page

WORKFLOWS = ROOT / "orchestration" / "workflows"
CLIMATES = (Faults.STORM, Faults.WEATHER, Faults.STORM, Faults.WEATHER, Faults.NONE)
CHOICES: tuple[tuple[str, ...], ...] = (
    ("suiteprojects__customers",),
    ("precoro__options",),
    ("suiteprojects__projects",),
    ("suiteprojects__customers", "precoro__options"),
    ("suiteprojects__contacts",),
    ("precoro__options",),
    (),
)
PROGRESS_SEEDS = 5  # between two lines of progress
PER_PROCESS = 25  # simulations after which a process is replaced


@dataclass(frozen=True)
class Ended:
    """The end of one seed."""

    seed: int
    days: int
    line: str
    checks: int = 0
    violations: int = 0
    claims: int = 0
    lies: int = 0
    examples: list[str] = field(default_factory=list)
    evidence: Counter[str] = field(default_factory=Counter)


def options_of(seed: int, days: int, faults: str, customers: int, workflows: Path, *, everything: bool) -> Options:
    """Return the options of one seed."""
    chosen = () if everything or workflows != WORKFLOWS else CHOICES[seed % len(CHOICES)]
    climate = Faults(faults) if faults else CLIMATES[seed % len(CLIMATES)]
    return Options(workflows, days=days, seed=seed, faults=climate, customers=customers, only=chosen)


def one(options: Options, pages: Path | None) -> Ended:
    """Run one seed; a crash of the simulation counts as a violation."""
    try:
        result = rehearse(options)
    except Exception:  # noqa: BLE001 - the seed is reported
        return Ended(options.seed, options.days, options.line, violations=1, examples=[format_exc()])
    found = {each.name: each for each in result.verdicts}
    if pages and result.violations:
        (pages / f"seed-{options.seed}.html").write_text(page(document(result)), encoding="utf-8")
    certificates = found["certificates"]
    return Ended(
        options.seed,
        options.days,
        options.line,
        checks=sum(each.checked for each in result.verdicts),
        violations=result.violations,
        claims=certificates.evidence["claims"],
        lies=certificates.broken,
        examples=[f"{each.name}: {text}" for each in result.verdicts for text in each.examples],
        evidence=Counter({each.name: each.broken for each in result.verdicts if each.broken}),
    )


def main() -> None:
    """Run all seeds and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--faults", choices=["", *Faults], default="", help="default: by the seed")
    parser.add_argument("--customers", type=int, default=60)
    parser.add_argument("--workflows", type=Path, default=WORKFLOWS)
    parser.add_argument("--everything", action="store_true", help="all workflows with every seed")
    parser.add_argument("--pages", type=Path, help="folder of the replays of seeds that fail")
    given = parser.parse_args()
    if given.pages:
        given.pages.mkdir(parents=True, exist_ok=True)
    began, totals, broken = perf_counter(), Counter[str](), Counter[str]()
    seeds = [
        options_of(seed, given.days, given.faults, given.customers, given.workflows, everything=given.everything)
        for seed in range(given.first, given.first + given.seeds)
    ]
    # not ProcessPoolExecutor, which hangs when it replaces a process (Python 3.11)
    with get_context("spawn").Pool(given.processes, maxtasksperchild=PER_PROCESS) as pool:
        found = pool.imap_unordered(partial(one, pages=given.pages), seeds)
        for number, ended in enumerate(found, start=1):
            totals.update(
                seeds=1, days=ended.days, checks=ended.checks, violations=ended.violations, claims=ended.claims,
                lies=ended.lies, failed=int(ended.violations > 0),
            )  # fmt: skip
            broken.update(ended.evidence)
            if ended.violations:
                lines = (line for text in ended.examples for line in text.splitlines())
                sys.stdout.write(
                    "\n".join([f"seed {ended.seed}: {ended.line}", *(f"    {line}" for line in lines), ""])
                )
            if number % PROGRESS_SEEDS == 0 or ended.violations:
                sys.stdout.write(f"{_summary(totals, perf_counter() - began)}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{_summary(totals, perf_counter() - began)}\n")
    for name, count in sorted(broken.items()):
        sys.stdout.write(f"    {name}: {count}\n")
    sys.exit(totals["violations"] > 0)


def _summary(totals: Counter[str], seconds: float) -> str:
    return (
        f"{totals['days']:,} days in {totals['seeds']:,} seeds: {totals['checks']:,} checks,"
        f" {totals['violations']:,} violations in {totals['failed']:,} seeds; {totals['claims']:,} certificates,"
        f" {totals['lies']:,} lies; {seconds:,.0f} s"
    )


if __name__ == "__main__":
    main()
