"""`millpond …`: drive the pipeline by hand.

run, plan, import, update, explain, validate, demo, ui; `millpond sandbox …` for the stand-ins. Dagster is imported
late: it takes most of a second, and `--help` should not.
"""

import sys
from datetime import datetime
from pathlib import Path

from cyclopts import App
from rich.console import Console

from orchestration.cli.sandbox import PIPE_WIDTH
from orchestration.cli.sandbox import app as sandbox_app

app = App(name="millpond", help="NetSuite's customers and projects into SuiteProjects Pro and Precoro.")
app.command(sandbox_app)
alerts_app = App(name="alerts", help="Who is told when something is wrong.")
app.command(alerts_app)
console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)


@app.command
def run(group: str, *, full: bool = False, since: datetime | None = None) -> None:
    """Run a group's job in this process and print what it did.

    Parameters
    ----------
    group
        A group of groups.yaml, a workflow's name, or `all`.
    full
        Full synchronisation: read every NetSuite record of the group again, not only what changed.
    since
        Full synchronisation of what changed at or after this day or moment, UTC, like `2026-11-01`.
    """
    from orchestration.cli.run import run_group, synchronise_group

    sys.exit(synchronise_group(group, since, console) if full or since else run_group(group, console))


@app.command
def plan(group: str) -> None:
    """Read and decide, send nothing, and print what would be done.

    Parameters
    ----------
    group
        A group of groups.yaml, a workflow's name, or `all`.
    """
    from orchestration.cli.run import plan_group

    sys.exit(plan_group(group, console))


@app.command
def candidates(workflow: str, *, search: str = "", every: bool = False) -> None:
    """List what could be imported and is not there yet, as of the last run or plan.

    Parameters
    ----------
    workflow
        A workflow with `imports`.
    search
        Only what has this text in its name, in any case.
    every
        What cannot be imported as well, and why not.
    """
    from orchestration.cli.imports import print_candidates

    sys.exit(print_candidates(workflow, search, console, every=every))


@app.command(name="import")
def import_(workflow: str, *ids: str, search: str = "", everything: bool = False) -> None:
    """Pick records for import, and create what is picked and not there yet, with its ancestors; nothing is changed.

    Parameters
    ----------
    workflow
        A workflow with `imports`.
    ids
        NetSuite ids to pick; what was picked before is imported as well.
    search
        Pick what has this text in its name, in any case; with ids, only those of them.
    everything
        Pick all candidates.
    """
    from orchestration.cli.imports import run_import

    sys.exit(run_import(workflow, ids, search, console, everything=everything))


@app.command
def update(workflow: str) -> None:
    """Bring what was imported up to date: names, parents, inactive or live again; nothing is created.

    Parameters
    ----------
    workflow
        A workflow with `imports`.
    """
    from orchestration.cli.imports import run_update

    sys.exit(run_update(workflow, console))


@app.command
def unpick(workflow: str, *ids: str) -> None:
    """Take picks back; what was imported stays and is kept up to date.

    Parameters
    ----------
    workflow
        A workflow with `imports`.
    ids
        NetSuite ids.
    """
    from orchestration.cli.imports import print_unpicked

    sys.exit(print_unpicked(workflow, ids, console))


@app.command
def plans(*, every: bool = False) -> None:
    """List the plans that can still be sent: those that wait for a person, and those just made.

    Parameters
    ----------
    every
        The ones that were sent, rejected or expired as well.
    """
    from orchestration.cli.plans import print_plans

    sys.exit(print_plans(console, every=every))


@app.command
def apply(plan: str, *, only: tuple[str, ...] = ()) -> None:
    """Send a plan exactly as it was made, whole or in part, once; what changed since is left out and listed.

    Parameters
    ----------
    plan
        The plan's id, or its first characters.
    only
        `action=create`, `record=107` or `field=name`; may be given several times.
    """
    from orchestration.cli.plans import print_applied

    sys.exit(print_applied(plan, only, console))


@app.command
def reject(plan: str, *, why: str = "rejected by hand") -> None:
    """Drop a plan that waits.

    Parameters
    ----------
    plan
        The plan's id, or its first characters.
    why
        What to remember about it.
    """
    from orchestration.cli.plans import print_rejected

    sys.exit(print_rejected(plan, why, console))


@app.command
def undo(run: str, *, record: tuple[str, ...] = (), where: str = "") -> None:
    """Make a plan that takes back what a run sent; `millpond apply` sends it.

    Records that were edited since are shown as conflicts and left as they are.

    Parameters
    ----------
    run
        The run's id, or its first characters.
    record
        NetSuite ids to take back; everything when left out.
    where
        Condition in SQL, like `action = 'update'`: over action, source, source_id, target_id and the mapped fields.
    """
    from orchestration.cli.plans import print_undo

    sys.exit(print_undo(run, record, console, where=where))


@app.command
def explain(record: str, *, as_of: str = "") -> None:
    """Print the story of one record: seen, shaped, decided, sent, answered, and what each target has now.

    Parameters
    ----------
    record
        NetSuite id, number or name, or a target's id.
    as_of
        A past moment like `2026-11-17 06:04`, UTC: what had been decided and sent by then.
    """
    from orchestration.cli.explain import print_story

    sys.exit(print_story(record, console, as_of))


@app.command
def adopt(workflow: str = "", *, every: bool = False) -> None:
    """Show which records of an account that has data already could be which, and what speaks for it.

    Parameters
    ----------
    workflow
        One workflow; all that were planned when left out.
    every
        All records instead of the first ones.
    """
    from orchestration.cli.links import print_candidates

    sys.exit(print_candidates(workflow, console, every=every))


@app.command
def link(record: str, target: str, *, workflow: str = "", why: str = "") -> None:
    """Say which record of the target a NetSuite record is; the next plan follows it.

    Parameters
    ----------
    record
        NetSuite id, number or name.
    target
        The target's internal id, or `new` when none of its records is it.
    workflow
        Needed when several workflows deliver such records.
    why
        What to remember about it.
    """
    from orchestration.cli.links import print_linked

    sys.exit(print_linked(record, target, console, workflow=workflow, why=why))


@app.command
def unlink(record: str, *, workflow: str = "") -> None:
    """Take back what `millpond link` said.

    Parameters
    ----------
    record
        NetSuite id, number or name.
    workflow
        Needed when several workflows deliver such records.
    """
    from orchestration.cli.links import print_unlinked

    sys.exit(print_unlinked(record, console, workflow=workflow))


@app.command
def links(workflow: str = "", *, csv: bool = False) -> None:
    """List which record is which, with the address of the target's record.

    Parameters
    ----------
    workflow
        One workflow; all when left out.
    csv
        As CSV, for a spreadsheet or for NetSuite's file cabinet.
    """
    from orchestration.cli.links import print_links

    sys.exit(print_links(workflow, console, as_csv=csv))


@app.command
def report(run: str = "", *, out: Path | None = None) -> None:
    """Write a run's report, one HTML page: what changed, what waits, where each field comes from, every record.

    Parameters
    ----------
    run
        The run's id, or its first characters; the newest when left out.
    out
        Where to write it; beside the warehouse when left out.
    """
    from orchestration.cli.report import print_report

    sys.exit(print_report(run, out, console))


@app.command
def tables(name: str = "", *, page: Path | None = None, picture: Path | None = None) -> None:
    """List the warehouse's tables, views and macros with their rows; with a name, its columns and where they come from.

    Parameters
    ----------
    name
        A table, view or macro.
    page
        Write all of it to this Markdown file instead.
    picture
        Draw the tables and how they come from each other into this SVG file.
    """
    from orchestration.cli.tables import print_tables

    sys.exit(print_tables(name, page, console, picture))


@app.command
def compact(*, keep_days: int | None = None) -> None:
    """Take out of the warehouse what ended long ago, then write its file anew without the room that is free.

    Parameters
    ----------
    keep_days
        How long what ended is kept; MILLPOND_KEEP_DAYS when left out, 0 keeps everything.
    """
    from orchestration.maintenance.compact import print_compacted
    from orchestration.settings import MillpondSettings, warehouse_clock
    from orchestration.warehouse_access import warehouse_of

    settings = MillpondSettings()
    days = settings.keep_days if keep_days is None else keep_days
    sys.exit(print_compacted(warehouse_of(settings), days, warehouse_clock(settings), console))


@app.command
def validate(folder: Path | None = None, *, defaults: bool = False) -> None:
    """Check every workflow file and groups.yaml; prints file, line, field and mend of what is wrong.

    Parameters
    ----------
    folder
        Folder of the workflow files; the configured one when left out.
    defaults
        Also list the rows of the shipped files that yours no longer have, ready to be put back.
    """
    from orchestration.cli.validate import validate_folder

    sys.exit(validate_folder(folder, console, defaults=defaults))


@app.command
def import_mapping(file: Path, *, into: Path = Path("imported_workflows"), replace: bool = False) -> None:
    """Make workflow files of a mapping export of Oracle's NetSuite Connector; prints what could not be carried over.

    Parameters
    ----------
    file
        The export: JSON, with advanced notation and filters.
    into
        Folder for the workflow files; look at them, then move them to the configured one.
    replace
        Write over files that are there.
    """
    from orchestration.cli.connector_import import import_mapping as read_and_write

    sys.exit(read_and_write(file, into, console, replace=replace))


@app.command
def doctor() -> None:
    """Check settings, credentials, permissions, limits and fields of every system; each ✗ comes with its mend."""
    from orchestration.cli.doctor import run_doctor

    sys.exit(run_doctor(console))


@alerts_app.command
def test() -> None:
    """Send a message to every receiver that is set up."""
    from orchestration.cli.alerts import send_probe

    sys.exit(send_probe(console))


@alerts_app.command
def show() -> None:
    """List what is wrong now, as the last look of the alert sensor saw it."""
    from orchestration.cli.alerts import print_open

    sys.exit(print_open(console))


@app.command
def login(system: str, *, paste: bool = False) -> None:
    """Sign in once in the browser; runs renew the tokens from then on.

    Parameters
    ----------
    system
        `suiteprojects`.
    paste
        Paste the address that the browser was sent to, where the browser runs on another machine.
    """
    from orchestration.cli.login import print_login

    sys.exit(print_login(system, console, paste=paste))


@app.command
def demo(*, customers: int = 5000, seed: int = 1) -> None:
    """Fill a sandbox, run the whole job, say what to try next, and open the Dagster UI.

    The UI is not opened under CI or with DEMO_UI=0.

    Parameters
    ----------
    customers
        NetSuite customers, leads and prospects together.
    seed
        The same seed gives the same records.
    """
    from orchestration.cli.demo import run_demo

    sys.exit(run_demo(console, customers=customers, seed=seed))


@app.command
def ui(*, port: int = 3000, host: str = "127.0.0.1", read_only: bool = False) -> None:
    """Serve the Dagster UI, behind a sign-in, and its daemon.

    Parameters
    ----------
    port
        Port to listen on.
    host
        Address to listen on; the loopback address is reached from this machine alone.
    read_only
        Look at everything, start and change nothing.
    """
    from orchestration.web.serve_ui import serve_ui

    sys.exit(serve_ui(console, port, host=host, read_only=read_only))


@app.command
def webhook(*, host: str = "", port: int | None = None) -> None:
    """Take NetSuite's change notifications that records were saved, check and keep them; the daemon brings the records.

    Parameters
    ----------
    host
        Address to listen on; MILLPOND_WEBHOOK_HOST when left out.
    port
        Port; MILLPOND_WEBHOOK_PORT when left out.
    """
    from orchestration.cli.webhook import serve_webhook

    sys.exit(serve_webhook(console, host=host, port=port))


@app.command
def activate(workflow: str, *, realtime: bool = False, why: str = "") -> None:
    """Switch a workflow on, or its real time; runs look at it when they decide, nothing is started anew.

    Parameters
    ----------
    workflow
        The workflow.
    realtime
        Bring records at once that NetSuite says were saved; the workflow itself stays as it is.
    why
        What to remember about it.
    """
    from orchestration.cli.activation import Word, print_switched

    word = Word(workflow, None if realtime else True, True if realtime else None, why)
    sys.exit(print_switched(word, console))


@app.command
def deactivate(workflow: str, *, realtime: bool = False, why: str = "") -> None:
    """Switch a workflow off, or only its real time; runs look at it when they decide.

    Parameters
    ----------
    workflow
        The workflow.
    realtime
        Only its real time; runs by the clock go on.
    why
        What to remember about it.
    """
    from orchestration.cli.activation import Word, print_switched

    word = Word(workflow, None if realtime else False, False if realtime else None, why)
    sys.exit(print_switched(word, console))


def main() -> None:
    """The console command."""
    try:
        app()
    except Exception as error:
        from orchestration.settings import AccountError

        if not isinstance(error, AccountError):
            raise
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(2)
