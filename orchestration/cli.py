"""`millpond …`: drive the pipeline by hand.

run, plan, explain, validate, demo, ui; `millpond sandbox …` for the stand-ins. Dagster is imported late: it takes
most of a second, and `--help` should not.
"""

import sys
from pathlib import Path

from cyclopts import App
from rich.console import Console

from orchestration.cli_sandbox import PIPE_WIDTH
from orchestration.cli_sandbox import app as sandbox_app

app = App(name="millpond", help="NetSuite's customers and projects into SuiteProjects Pro and Precoro.")
app.command(sandbox_app)
console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)


@app.command
def run(group: str) -> None:
    """Run a group's job in this process and print what it did.

    Parameters
    ----------
    group
        A group of groups.yaml, a workflow's name, or `all`.
    """
    from orchestration.running import run_group

    sys.exit(run_group(group, console))


@app.command
def plan(group: str) -> None:
    """Read and decide, send nothing, and print what would be done.

    Parameters
    ----------
    group
        A group of groups.yaml, a workflow's name, or `all`.
    """
    from orchestration.running import plan_group

    sys.exit(plan_group(group, console))


@app.command
def explain(record: str) -> None:
    """Print the story of one record: seen, shaped, decided, sent, answered, and what each target has now.

    Parameters
    ----------
    record
        NetSuite id, number or name, or a target's id.
    """
    from orchestration.explaining import print_story

    sys.exit(print_story(record, console))


@app.command
def validate(folder: Path | None = None) -> None:
    """Check every workflow file and groups.yaml; prints file, line, field and mend of what is wrong.

    Parameters
    ----------
    folder
        Folder of the workflow files; the configured one when left out.
    """
    from orchestration.validating import validate_folder

    sys.exit(validate_folder(folder, console))


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
    from orchestration.demo import run_demo

    sys.exit(run_demo(console, customers=customers, seed=seed))


@app.command
def ui(*, port: int = 3000) -> None:
    """Serve the Dagster UI and its daemon on this machine.

    Parameters
    ----------
    port
        Port on the loopback address.
    """
    from orchestration.ui import serve_ui

    sys.exit(serve_ui(console, port))


def main() -> None:
    """The console command."""
    app()
