"""`millpond simulate`: rehearse the workflow files on simulated accounts, days in seconds.

workflow files + seed  ->  rehearse()  ->  verdicts, counts, one line to repeat it  ->  --html, --save, --compare
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assets.result_texts import counted
from orchestration.cli.exit_codes import CLEAN, FAILED, USAGE, worst
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import print_line, print_problems, print_wrapped
from orchestration.cli.storage_errors import storage_problem
from orchestration.configuration.settings import MillpondSettings
from orchestration.simulation import comparison
from orchestration.simulation import saved as saved_simulations
from orchestration.simulation.options import CUSTOMERS, DAYS, SEED, Faults, Options
from orchestration.simulation.rehearse import rehearse
from orchestration.simulation.replay import document, page
from orchestration.simulation.result import Result
from orchestration.simulation.saved import SavedError, read_saved, require_place, saved_names
from orchestration.simulation.world import WorkflowsError, usable_workflows
from resources.atomic_file import write_atomically

SHOWN = 3  # examples of a difference
Document = Mapping[str, Any]


@with_json
def simulate(
    *,
    days: int = DAYS,
    seed: int = SEED,
    faults: Faults = Faults.WEATHER,
    workflows: Path | None = None,
    companies: Path | None = None,
    customers: int = CUSTOMERS,
    only: tuple[str, ...] = (),
    compare: Path | None = None,
    save: str = "",
    saved: str = "",
    html: Path | None = None,
) -> int:
    """Rehearse the workflow files on simulated accounts: days of edits and faults, in seconds.

    Args:
        days: Days on which people work, each with a night's run.
        seed: The same seed gives the same days.
        faults: How often answers, quotas, permissions and processes fail: none, weather or storm.
        workflows: The folder of the workflow files; the configured one when omitted.
        companies: A CSV of company names, with a column `name`, for the generated account.
        customers: Number of NetSuite's customers, leads and prospects at the start.
        only: A workflow to rehearse, with those that it needs; may be repeated. All active ones when omitted.
        compare: Another folder of workflow files: the same days again, and what differs in the targets.
        save: Keep options and replay under this name in the home.
        saved: Repeat a saved simulation, or `all`.
        html: Also write the replay as a page to this file.
    """
    settings = MillpondSettings()
    try:
        if saved:
            return _repeat_saved(settings.home, saved, html)
        if save:
            require_place(settings.home, save)
        folder = (workflows or settings.workflows).absolute()
        given = companies.absolute() if companies else None
        options = Options(
            folder, days=days, seed=seed, faults=faults, companies=given, customers=customers, only=tuple(only)
        )
        return _simulate(settings.home, options, compare, save, html)
    except OSError as error:
        named = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        print_problems([storage_problem(error) or named])
        return USAGE
    except (SavedError, WorkflowsError, ValueError) as error:
        print_problems(str(error).splitlines())
        return USAGE


def _simulate(home: Path, options: Options, other: Path | None, name: str, html: Path | None) -> int:
    """Run one simulation, or two to compare, and print; return the exit code."""
    problems = options.problems
    if other and not other.is_dir():
        problems.append(f"--compare {other}: there is no such folder")
    if problems:
        print_problems(problems)
        return USAGE
    if other:
        usable_workflows(other.absolute(), options.only)  # not after the days are simulated
    result = rehearse(options)
    found = document(result)
    note(simulations=[found])
    print_document(found)
    code = CLEAN if not result.violations else FAILED
    if other:
        code = worst(code, _compare(result, options, other))
    if html:
        write_atomically(html, page(found), mode=0o600, durable=False)
        print_line(f"the replay is in {html}")
    if name:
        file = saved_simulations.save(home, name, options, found)
        print_line(f"saved: {file}; `millpond simulate --saved {name}` repeats it")
    return code


def _compare(result: Result, options: Options, other: Path) -> int:
    """Run the same days with other workflow files; print what differs in the targets."""
    there = rehearse(options.with_workflows(other.absolute()))
    differences = comparison.compare(result, there)
    note(differences=[each.document() for each in differences])
    print_line(f"\nwith the workflow files of {other}, after the same {counted(options.days, 'days')}:")
    for each in differences:
        _print_differences(each)
    if there.violations:
        print_line(f"✗ {counted(there.violations, 'checks')} failed with them: {there.options.line}", "red")
    return FAILED if there.violations else CLEAN


def _repeat_saved(home: Path, name: str, html: Path | None) -> int:
    """Repeat one or all saved simulations; return the worst exit code."""
    names = saved_names(home) if name == "all" else [name]
    if not names:
        print_problems(["no simulation is saved; `millpond simulate --save NAME` saves one"])
        return USAGE
    found = [read_saved(home, each) for each in names]
    codes = []
    for each in found:
        print_line(f"{each.name}:", "bold")
        codes.append(_simulate(home, each.options, None, each.name, html))
    return worst(*codes)


# --- text -------------------------------------------------------------------------------------------------------------


def print_document(found: Document) -> None:
    """Print what a simulation found."""
    title = f"{counted(found['days'], 'days')}, seed {found['seed']}, faults {found['faults']}"
    print_line(f"{title}; {found['nights']} nights, {found['records']:,} NetSuite records", "bold")
    for name, count in found["selected"].items():
        if not count:
            print_wrapped(f"! {name} selects none of the generated records, so that little is shown of it", "yellow")
    _print_counts("written", found["done"], "action")
    _print_counts("held back at the end", found["held_back"], "reason_code")
    print_line("invariants")
    for each in found["verdicts"]:
        evidence = ", ".join(f"{count:,} {kind}" for kind, count in each["evidence"].items())
        mark, style = ("✗", "red") if each["broken"] else ("✓", "green")
        counts = f"{each['broken']:,} of {each['checked']:,} checks failed" if each["broken"] else _checks(each)
        print_wrapped(f"{mark} {each['text']} {counts}{f': {evidence}' if evidence else ''}", style, indent=2)
        for text in each["examples"]:
            print_wrapped(text, indent=6)
    calls = (
        f"{each['system']} {each['calls']:,}"
        + (f" (at most {each['busiest_day']:,} of {each['quota']:,} in 24 hours)" if each["quota"] else "")
        for each in found["calls"]
    )
    print_wrapped(f"calls: {', '.join(calls)}")
    if found["violations"]:
        print_line(f"✗ {counted(found['violations'], 'checks')} failed; this line repeats it:", "red")
        print_line(found["line"])
    else:
        print_line("✓ every invariant holds", "green")


def _checks(verdict: Document) -> str:
    return counted(verdict["checked"], "checks") if verdict["checked"] else "Nothing to check"


def _print_counts(title: str, rows: Sequence[Document], kind: str) -> None:
    """Print a line per workflow with its counts."""
    print_line(title if rows else f"{title}: nothing")
    for workflow in dict.fromkeys(row["workflow"] for row in rows):
        counts = (f"{row['records']:,} {row[kind]}" for row in rows if row["workflow"] == workflow)
        print_wrapped(f"{workflow}: {', '.join(counts)}", indent=2)


def _print_differences(found: comparison.Differences) -> None:
    """Print the differences of one target."""
    if found.is_empty:
        print_wrapped(f"{found.place}: {counted(found.alike, 'records')}, all alike", indent=2)
        return
    print_wrapped(f"{found.place}: {found.alike:,} alike", indent=2)
    for keys, where in ((found.only_here, "only here"), (found.only_there, "only there")):
        if keys:
            more = f" and {len(keys) - SHOWN:,} more" if len(keys) > SHOWN else ""
            print_wrapped(f"{len(keys):,} {where}: {', '.join(keys[:SHOWN])}{more}", indent=4)
    for name, count in sorted(found.fields.items()):
        examples = (f"{key}: {one or '∅'} here, {two or '∅'} there" for key, one, two in found.examples[name][:SHOWN])
        print_wrapped(f"{name} differs in {counted(count, 'records')}: {'; '.join(examples)}", indent=4)
