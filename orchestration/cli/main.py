"""`millpond …`: the command line.

A command is imported when it is called: Dagster takes most of a second to load, and `--help` should not.
"""

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.metadata import version

from cyclopts import App, CycloptsError, CycloptsPanel, Group, UnknownCommandError
from rich.panel import Panel

from orchestration.cli.signals import exit_on_signals
from orchestration.cli.terminal import prepare_terminal
from orchestration.configuration.settings_error import SettingsError
from orchestration.upgrade.errors import UpgradeError

# panel -> command -> its function and its summary, which is the first line of the function's docstring
COMMANDS = {
    "Runs": {
        "run": ("run:run", "Run a group's job in this process and print a summary."),
        "plan": ("run:plan", "Read and plan without sending, and print the plan."),
        "report": ("report:report", "Write the HTML report of a run."),
    },
    "Plans": {
        "plans": ("plan_list:plans", "List the open plans: awaiting approval, or just made."),
        "apply": ("plans:apply", "Send a plan exactly as it was made, whole or in part."),
        "reject": ("plans:reject", "Reject an open plan."),
        "undo": ("plans:undo", "Make a plan that reverts what a run sent."),
    },
    "Imports and links": {
        "candidates": ("imports:candidates", "List the records that can be imported."),
        "import": ("imports:import_", "Select records and import them with their ancestors."),
        "update": ("imports:update", "Bring imported records up to date; create nothing."),
        "deselect": ("imports:deselect", "Deselect records for import."),
        "match": ("links:match", "List possible matches of existing target records."),
        "link": ("links:link", "Link a NetSuite record to a target record."),
        "unlink": ("links:unlink", "Remove a manual link."),
        "links": ("link_list:links", "List all links with the URLs of the target records."),
    },
    "Inspection": {
        "explain": ("explain:explain", "Explain the history and the current state of one record."),
        "tables": ("tables:tables", "List the warehouse's tables, views and macros."),
        "alerts": ("alerts:app", "Test the alert receivers, and list the open alerts."),
    },
    "Setup": {
        "doctor": ("doctor:doctor", "Check settings, credentials and permissions of every system."),
        "validate": ("validate:validate", "Check every workflow file and groups.yaml."),
        "import-mapping": ("connector_import:import_mapping", "Convert a mapping export of Oracle's connector."),
        "activate": ("activation:activate", "Activate a workflow or its real-time updates."),
        "deactivate": ("activation:deactivate", "Deactivate a workflow or its real-time updates."),
        "rebind": ("rebind:rebind", "Assign a workflow or NetSuite's tables to another account."),
        "login": ("login:login", "Sign in to SuiteProjects Pro in the browser, once."),
    },
    "Services": {
        "ui": ("ui:ui", "Serve the Dagster UI, behind a sign-in, and its daemon."),
        "webhook": ("webhook:webhook", "Receive NetSuite's change notifications."),
        "compact": ("compact:compact", "Delete old history and shrink the warehouse."),
        "upgrade": ("upgrade:upgrade", "Bring files and warehouses of an earlier version to this one."),
    },
    "Sandbox": {
        "demo": ("demo:demo", "Fill a sandbox, run everything, and open the UI."),
        "sandbox": ("sandbox:app", "Serve, fill, change and inspect the simulated systems."),
    },
}


def format_error(error: CycloptsError) -> Panel:
    """Return the printed form of a usage error; for a suggestion, cyclopts itself would import every command."""
    if not isinstance(error, UnknownCommandError) or error.app is not app:
        return CycloptsPanel(error)
    token = (error.unused_tokens or [""])[0]
    close = get_close_matches(token, [name for commands in COMMANDS.values() for name in commands], n=1)
    advice = f"Did you mean `{close[0]}`?" if close else "`millpond --help` lists the commands."
    return CycloptsPanel(f"Unknown command `{token}`. {advice}")


app = App(
    name="millpond",
    help="Sync NetSuite to SuiteProjects Pro and Precoro through a local DuckDB warehouse.",
    version=lambda: version("millpond"),
    error_formatter=format_error,
    suppress_keyboard_interrupt=False,  # exit_on_signals says what ended the command
)
for order, (panel, commands) in enumerate(COMMANDS.items()):
    group = Group(panel, sort_key=order)
    for name, (function, summary) in commands.items():
        app.command(f"orchestration.cli.{function}", name=name, help=summary, group=group)


def main() -> None:
    """Run the console command: with the account's line first, and problems of the settings as lines."""
    with exit_on_signals():
        prepare_terminal()
        try:
            if _is_command(sys.argv[1:]):
                from orchestration.cli.start import begin  # late: `--help` needs no settings

                begin(sys.argv[1:])
            app(sys.argv[1:])
        except (SettingsError, UpgradeError) as error:
            from orchestration.cli.output import print_problems

            print_problems(str(error).splitlines())
            raise SystemExit(2) from None


def _is_command(tokens: Sequence[str]) -> bool:
    """Return whether a command is run, and not only described."""
    commands = {name for panel in COMMANDS.values() for name in panel}
    return bool(tokens) and tokens[0] in commands and not {"--help", "-h", "--version"} & set(tokens)
