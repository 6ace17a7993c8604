"""`millpond sandbox …`: serve, fill, change and inspect the simulated systems."""

# ruff: noqa: D417 - shared options document themselves

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

from assets.result_texts import counted
from orchestration.cli.output import console, print_line, print_wrapped
from orchestration.cli.sandbox_folder import open_folder, switch_values, write_env_file
from resources.sandbox.generator.seed import seed as fill
from resources.sandbox.listing import SWITCHES, as_table, listing
from resources.sandbox.netsuite.user_event import Deployment
from resources.sandbox.sandbox import SystemName
from resources.sandbox.server import serve as serve_until_stopped
from resources.sandbox.simulation.day import manual_edits as edit_targets
from resources.sandbox.simulation.day import simulate_day

app = App(
    name="sandbox", help="Serve, fill, change and inspect the simulated systems.", suppress_keyboard_interrupt=False
)

State = Annotated[Path | None, Parameter(help="Folder of the sandbox; $MILLPOND_HOME/sandbox when omitted.")]
AsJson = Annotated[bool, Parameter(name="--json", help="One JSON document instead of tables.")]
ClockName = Annotated[
    Literal["wall", "shared"],
    Parameter(help="wall: the machine's time, from now on; shared: the folder's own clock, which jumps ahead."),
]


@contextmanager
def _errors_as_lines() -> Iterator[None]:
    """Print an error that the user can fix as one line on stderr, and exit with code 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        Console(stderr=True).print(f"millpond sandbox: {error}", style="red", markup=False, soft_wrap=True)
        raise SystemExit(2) from error


def _print_table(title: str, columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
    console.print(as_table(title, columns, rows))


def _write(line: str) -> None:
    """Write one line verbatim to stdout, at once: other programs read it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _write_json(document: Any) -> None:
    _write(json.dumps(document, default=str, ensure_ascii=False))


@app.command
def serve(
    *,
    netsuite_port: int = 0,
    suiteprojects_port: int = 0,
    precoro_port: int = 0,
    state: State = None,
    tls: bool = False,
    clock: ClockName = "wall",
    env_file: Path | None = None,
) -> None:
    """Serve the systems on loopback ports until SIGINT or SIGTERM.

    Once they are ready, one JSON line has the settings that a client needs; on a terminal with --env-file, whose file
    has them, the addresses are printed instead.

    Args:
        netsuite_port: Port of NetSuite; 0 chooses a free one.
        suiteprojects_port: Port of SuiteProjects Pro.
        precoro_port: Port of Precoro.
        tls: Serve HTTPS with the folder's own certificate authority, named in the JSON line as `ca_file`.
        env_file: Write the settings with which live mode connects to these systems to this file, such as .env.
    """

    def announce(line: str) -> None:
        if env_file:
            write_env_file(env_file, json.loads(line))
        if env_file and console.is_terminal:
            _print_served(json.loads(line), env_file)
        else:
            _write(line)

    ports: dict[SystemName, int] = {
        "netsuite": netsuite_port,
        "suiteprojects": suiteprojects_port,
        "precoro": precoro_port,
    }
    with _errors_as_lines():
        serve_until_stopped(open_folder(state, clock), ports, tls=tls, announce=announce)


def _print_served(details: Mapping[str, Any], env_file: Path) -> None:
    """Print where the systems are served, without their secrets."""
    for name in get_args(SystemName):
        print_line(f"{name}: {details[name]['base_url']}")
    print_wrapped(f"{env_file} has the settings to connect to them; leave this running (stop with Ctrl-C)")


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

    Args:
        customers: Number of customers, leads and prospects together.
        companies: CSV of companies, plain or .gz; further companies are generated.
        seed: The same seed generates the same records.
    """
    with _errors_as_lines():
        report = fill(open_folder(state, clock), customers=customers, companies=companies, seed=seed)
    if as_json:
        _write_json(asdict(report))
        return
    rows = [{"table": table, "rows": count} for table, count in report.rows.items()]
    rows += [{"table": f"  {stage}s", "rows": count} for stage, count in sorted(report.stages.items())]
    _print_table("NetSuite", ("table", "rows"), rows)
    if report.long_names:
        _write(f"{counted(len(report.long_names), 'names')} too long on purpose: customers {report.long_names}")


@app.command
def day(
    *, seed: int = 1, days: int = 1, manual_edits: bool = False, state: State = None, as_json: AsJson = False
) -> None:
    """Simulate days in NetSuite: edits, conversions, merges, deletions, new records.

    Args:
        seed: The first day's seed; each further day adds one.
        days: Number of days.
        manual_edits: Also edit records in SuiteProjects Pro and Precoro, as people do.
    """
    with _errors_as_lines():
        sandbox = open_folder(state)
        reports = [simulate_day(sandbox, number) for number in range(seed, seed + days)]
        edits = edit_targets(sandbox, seed) if manual_edits else []
    events = [event for report in reports for event in report.events] + edits
    rows = [{"at": event.at, "kind": event.kind, "records": event.records} for event in events]
    if as_json:
        _write_json(rows)
        return
    printed = [
        {"at": event.at, "kind": event.kind, "records": ", ".join(f"{table} {key}" for table, key in event.records)}
        for event in events
    ]
    _print_table(f"{len(rows)} events", ("at", "kind", "records"), printed)


@app.command
def show(
    system: SystemName, record_type: str, /, *, limit: int = 50, state: State = None, as_json: AsJson = False
) -> None:
    """Show records of a system, such as `netsuite leads`, `suiteprojects nodes`, `precoro options`.

    Args:
        system: netsuite, suiteprojects or precoro.
        record_type: Type of the records; for an unknown one, the known types are listed.
        limit: Maximum rows of the table; JSON has all.
    """
    with _errors_as_lines():
        found = listing(open_folder(state), system, record_type)
    if as_json:
        _write_json(found.rows)
        return
    title = f"{system} {record_type}: {min(limit, len(found.rows))} of {len(found.rows)}"
    _print_table(title, found.columns, found.rows[:limit])


@app.command
def switches(system: SystemName | None = None, /, *settings: str, state: State = None, as_json: AsJson = False) -> None:
    """List the switches for undocumented behavior, with meaning and source; or set some of a system.

    Args:
        system: netsuite, suiteprojects or precoro; all when omitted.
        settings: NAME=VALUE; separate several values by commas.
    """
    with _errors_as_lines():
        board = open_folder(state).switches
        if system and settings:
            board.set(system, SWITCHES[system], **switch_values(SWITCHES[system], settings))
        systems: tuple[SystemName, ...] = (system,) if system else get_args(SystemName)
        rows = [{"system": name} | asdict(each) for name in systems for each in board.describe(name, SWITCHES[name])]
    if as_json:
        _write_json(rows)
        return
    named = {each.partition("=")[0] for each in settings}
    for row in rows:
        if named and row["name"] not in named:
            continue
        changed = "" if row["value"] == row["default"] else f" (default {_shown(row['default'])})"
        print_wrapped(f"{row['system']} {row['name']}={_shown(row['value'])}{changed}")
        print_wrapped(f"{row['meaning']} ({row['source']})", "dim", indent=4)


def _shown(value: Any) -> str:
    """A switch's value as it is set."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@app.command
def webhook(
    url: str = "http://127.0.0.1:8378/hooks/netsuite", /, *, off: bool = False, context: str = "USERINTERFACE",
    state: State = None,
) -> None:  # fmt: skip
    """Deploy the user event script in the simulated NetSuite: each save is posted to `millpond webhook`.

    Args:
        url: Address to post to; posts are signed with the first of MILLPOND_WEBHOOK_SECRETS.
        off: Remove the script.
        context: NetSuite's execution context of the saves, such as USERINTERFACE or RESTLET.
    """
    secret = os.environ.get("MILLPOND_WEBHOOK_SECRETS", "").partition(",")[0].strip()
    with _errors_as_lines():
        if not off and not secret:
            raise ValueError("MILLPOND_WEBHOOK_SECRETS is not set; set it, or the webhook rejects the posts")
        sandbox = open_folder(state)
        deployment = Deployment(url, secret, sandbox.credentials["netsuite"]["account"], context)
        sandbox.netsuite.user_event.deploy(None if off else deployment)
    _write("saves are not posted" if off else f"saves are posted to {url}")
