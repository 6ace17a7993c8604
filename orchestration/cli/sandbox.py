"""`millpond sandbox …`: serve, fill, play, look at and trouble the three stand-ins."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from cyclopts import App, Parameter
from rich.console import Console

PIPE_WIDTH = 160

# as resources.sandbox.sandbox has it; the stand-ins are imported late, for they take half a second
SystemName = Literal["netsuite", "suiteprojects", "precoro"]

app = App(
    name="sandbox", help="Stand-ins of NetSuite, SuiteProjects Pro and Precoro: serve, seed, day, hook, show, switches."
)

State = Annotated[Path | None, Parameter(help="Folder of the sandbox; $MILLPOND_HOME/sandbox when left out.")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="One JSON document instead of tables.")]
ClockName = Annotated[
    Literal["wall", "shared"],
    Parameter(help="wall: the machine's time, from now on; shared: the folder's own clock, which jumps."),
]


@contextmanager
def _explained() -> Iterator[None]:
    """What a person can put right is one line on stderr and exit code 2, not a traceback."""
    try:
        yield
    except (ValueError, OSError) as error:
        Console(stderr=True).print(f"millpond sandbox: {error}", style="red", markup=False, soft_wrap=True)
        raise SystemExit(2) from error


def _print_table(title: str, columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """A table as wide as the terminal; into a pipe or file, wide enough not to break ids."""
    from resources.sandbox.listing import as_table

    console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)
    console.print(as_table(title, columns, rows))


def _say(line: str) -> None:
    """One line on stdout, as it is: rich would wrap it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _print_json(document: Any) -> None:
    _say(json.dumps(document, default=str, ensure_ascii=False))


@app.command
def serve(
    *,
    netsuite_port: int = 0,
    suiteprojects_port: int = 0,
    precoro_port: int = 0,
    state: State = None,
    tls: bool = False,
    clock: ClockName = "wall",
) -> None:
    """Serve the stand-ins on loopback ports; prints one JSON line when ready, runs until SIGINT or SIGTERM.

    Parameters
    ----------
    netsuite_port
        Port of NetSuite; 0 picks a free one.
    suiteprojects_port
        Port of SuiteProjects Pro.
    precoro_port
        Port of Precoro.
    tls
        Speak https under the folder's own certificate authority, named in the JSON line as `ca_file`.
    """
    from orchestration.cli.sandbox_folder import open_folder
    from resources.sandbox.server import serve as serve_until_stopped

    ports: dict[SystemName, int] = {
        "netsuite": netsuite_port,
        "suiteprojects": suiteprojects_port,
        "precoro": precoro_port,
    }
    with _explained():
        serve_until_stopped(open_folder(state, clock), ports, tls=tls, announce=_say)


@app.command
def seed(
    *,
    customers: int,
    companies: Path | None = None,
    seed: int = 1,
    state: State = None,
    clock: ClockName = "shared",
    as_json: AsJson = False,
) -> None:
    """Fill an empty sandbox with customers, leads, prospects, projects and contacts.

    Parameters
    ----------
    customers
        How many customers, leads and prospects together.
    companies
        CSV of companies, plain or .gz; when it ends, companies are invented.
    seed
        The same seed gives the same records.
    """
    from orchestration.cli.sandbox_folder import open_folder
    from resources.sandbox.generator.seed import seed as fill

    with _explained():
        report = fill(open_folder(state, clock), customers=customers, companies=companies, seed=seed)
    if as_json:
        _print_json(asdict(report))
        return
    rows = [{"table": table, "rows": count} for table, count in report.rows.items()]
    rows += [{"table": f"  {stage}s", "rows": count} for stage, count in sorted(report.stages.items())]
    _print_table("NetSuite", ("table", "rows"), rows)
    if report.long_names:
        _say(f"{len(report.long_names)} names are too long on purpose: customers {report.long_names}")


@app.command
def day(*, seed: int = 1, days: int = 1, by_hand: bool = False, state: State = None, as_json: AsJson = False) -> None:
    """Play days in NetSuite: edits, conversions, merges, deletions, new records.

    Parameters
    ----------
    seed
        The first day's seed; each next day adds one.
    days
        How many days.
    by_hand
        People edit in SuiteProjects Pro and Precoro as well.
    """
    from orchestration.cli.sandbox_folder import open_folder
    from resources.sandbox.simulation.day import day as play
    from resources.sandbox.simulation.day import hand_edits

    with _explained():
        sandbox = open_folder(state)
        reports = [play(sandbox, number) for number in range(seed, seed + days)]
        edited = hand_edits(sandbox, seed) if by_hand else []
    events = [event for report in reports for event in report.events] + edited
    rows = [{"at": event.at, "kind": event.kind, "records": event.records} for event in events]
    if as_json:
        _print_json(rows)
        return
    shown = [
        {"at": event.at, "kind": event.kind, "records": ", ".join(f"{table} {key}" for table, key in event.records)}
        for event in events
    ]
    _print_table(f"{len(rows)} events", ("at", "kind", "records"), shown)


@app.command
def show(
    system: SystemName, record_type: str, /, *, limit: int = 50, state: State = None, as_json: AsJson = False
) -> None:
    """Show records of a stand-in, such as `netsuite leads`, `suiteprojects nodes`, `precoro options`.

    Parameters
    ----------
    system
        netsuite, suiteprojects or precoro.
    thing
        What to show; a wrong one is answered with a list.
    limit
        Rows of the table; JSON has all.
    """
    from orchestration.cli.sandbox_folder import open_folder
    from resources.sandbox.listing import listing

    with _explained():
        found = listing(open_folder(state), system, record_type)
    if as_json:
        _print_json(found.rows)
        return
    title = f"{system} {record_type}: {min(limit, len(found.rows))} of {len(found.rows)}"
    _print_table(title, found.columns, found.rows[:limit])


@app.command
def switches(system: SystemName | None = None, /, *settings: str, state: State = None, as_json: AsJson = False) -> None:
    """List what the stand-ins leave open, with meaning and source; or set switches of one with NAME=VALUE.

    Parameters
    ----------
    system
        netsuite, suiteprojects or precoro; all when left out.
    settings
        NAME=VALUE; several values with commas between.
    """
    from orchestration.cli.sandbox_folder import open_folder, switch_values
    from resources.sandbox.listing import SWITCHES

    with _explained():
        board = open_folder(state).switches
        if system and settings:
            board.set(system, SWITCHES[system], **switch_values(SWITCHES[system], settings))
        shown: tuple[SystemName, ...] = (system,) if system else get_args(SystemName)
        rows = [{"system": name} | asdict(each) for name in shown for each in board.describe(name, SWITCHES[name])]
    if as_json:
        _print_json(rows)
        return
    _print_table("switches", ("system", "name", "value", "default", "meaning", "source"), rows)


@app.command
def hook(
    url: str = "http://127.0.0.1:8378/hooks/netsuite", /, *, off: bool = False, context: str = "USERINTERFACE",
    state: State = None,
) -> None:  # fmt: skip
    """Deploy the user event in the stand-in of NetSuite: from now on each save is told to `millpond webhook`.

    Parameters
    ----------
    url
        Where it posts; signed with the first of MILLPOND_WEBHOOK_SECRETS.
    off
        Take it away again.
    context
        Who saves, as NetSuite calls it: USERINTERFACE, RESTLET and so on.
    """
    from orchestration.cli.sandbox_folder import open_folder
    from resources.sandbox.netsuite.user_event import Deployment

    secret = os.environ.get("MILLPOND_WEBHOOK_SECRETS", "").partition(",")[0].strip()
    with _explained():
        if not off and not secret:
            raise ValueError("MILLPOND_WEBHOOK_SECRETS is not set; the webhook would turn the posts away")
        sandbox = open_folder(state)
        deployment = Deployment(url, secret, sandbox.credentials["netsuite"]["account"], context)
        sandbox.netsuite.user_event.register(None if off else deployment)
    _say("saves are not told" if off else f"saves are told to {url}")
