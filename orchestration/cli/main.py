"""`millpond …`: the command line.

A command is imported when it is called: Dagster takes most of a second to load, and `--help` should not.
"""

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.metadata import version

from cyclopts import App, CycloptsError, CycloptsPanel, Group, Parameter, UnknownCommandError
from rich.panel import Panel

from orchestration.cli.closed_pipe import end_quietly, flush_output
from orchestration.cli.exit_codes import FAILED, USAGE
from orchestration.cli.output import Output
from orchestration.cli.signals import exit_on_signals
from orchestration.cli.terminal import prepare_terminal
from orchestration.configuration.settings_error import SettingsError
from orchestration.upgrade.errors import UpgradeError

# panel -> command -> its function and its summary, which is the first line of the function's docstring
COMMANDS = {
    "Run": {
        "run": ("run:run", "Run a group's job in this process and print a summary."),
        "resend": ("resend:resend", "Send records again, whatever the last runs decided."),
        "import": ("imports:import_", "Select records and import them with their ancestors."),
        "update": ("imports:update", "Bring imported records up to date; create nothing."),
    },
    "Review": {
        "plan": ("run:plan", "Read and plan without sending, and print the plan."),
        "plans": ("plan_list:plans", "List the open plans, or print one of them."),
        "preview": ("preview:preview", "Preview one record by the edited workflow file; nothing is sent."),
        "apply": ("plans:apply", "Send a plan exactly as it was made, whole or in part."),
        "reject": ("plans:reject", "Reject an open plan."),
        "undo": ("plans:undo", "Make a plan that reverts what a run sent."),
        "ignore": ("ignore:ignore", "Ignore records that are held back until a date, or list those ignored."),
        "report": ("report:report", "Write the HTML report of a run."),
    },
    "Explain": {
        "explain": ("explain:explain", "Explain the history and the current state of one record."),
        "certificate": (
            "certificate:app",
            "Print the certificates: what is proven to be in the targets, and through when.",
        ),
        "ledger": ("ledger:app", "Verify that the ledger was not changed, or export it for an auditor."),
        "fields": ("fields:fields", "List the fields of a target, or the columns of a source."),
        "links": ("link_list:links", "List all links with the URLs of the target records."),
        "tables": ("tables:tables", "List the warehouse's tables, views and macros."),
        "alerts": ("alerts:app", "Test the alert receivers, check for alerts, and list the open ones."),
    },
    "Match": {
        "candidates": ("imports:candidates", "List the records that can be imported."),
        "deselect": ("imports:deselect", "Deselect records for import."),
        "match": ("links:match", "List possible matches of existing target records."),
        "link": ("links:link", "Link a NetSuite record to a target record."),
        "unlink": ("links:unlink", "Remove a manual link."),
    },
    "Operate": {
        "doctor": ("doctor:doctor", "Check settings, credentials and permissions of every system."),
        "validate": ("validate:validate", "Check every workflow file and groups.yaml."),
        "new": ("new_workflow:new", "Write a new workflow file that is valid at once."),
        "enable": ("enable:enable", "Switch a hierarchy on: its file, and the row that assigns records to it."),
        "import-mapping": ("connector_import:import_mapping", "Convert a mapping export of Oracle's connector."),
        "activate": ("activation:activate", "Activate a workflow or its real-time updates."),
        "deactivate": ("activation:deactivate", "Deactivate a workflow or its real-time updates."),
        "digest": ("digest:digest", "Print the digest of each steward, or send it."),
        "rename": ("rename:rename", "Rename a workflow: its file, tables, links, history and plans."),
        "shadow": ("shadow:app", "Compare beside another connector and send nothing: start, report, accept, stop."),
        "go-live": ("go_live:go_live", "Check that everything is ready, and switch schedules and sensors on."),
        "rebind": ("rebind:rebind", "Assign a workflow or NetSuite's tables to another account."),
        "netsuite-key": (
            "netsuite_key:netsuite_key",
            "Make a key for the sign-in to NetSuite, and the certificate to upload.",
        ),
        "login": ("login:login", "Sign in to SuiteProjects Pro in the browser, once."),
        "ui": ("ui:ui", "Serve the Dagster UI, behind a sign-in, and its daemon."),
        "user": ("user:app", "Manage the users of the UI and their roles."),
        "webhook": ("webhook:webhook", "Receive NetSuite's change notifications."),
        "forget": ("forget:forget", "Erase the personal values of one record everywhere, and prove it."),
        "compact": ("compact:compact", "Delete old history and shrink the warehouse."),
        "backup": ("backup:backup", "Write warehouse, queues, switches, users and budgets into one file."),
        "restore": ("backup:restore", "Put the files of a backup into the home; the former ones are kept beside them."),
        "upgrade": ("upgrade:upgrade", "Bring files and warehouses of an earlier version to this one."),
    },
    "Sandbox": {
        "demo": ("demo:demo", "Fill a sandbox, run everything, and open the UI."),
        "sandbox": ("sandbox:app", "Serve, fill, change and inspect the simulated systems."),
        "simulate": (
            "simulate:simulate",
            "Rehearse the workflow files on simulated accounts: days of edits and faults, in seconds.",
        ),
    },
}
EPILOGUE = (
    "Exit codes: 0 clean, 1 failed, 2 usage, 3 a plan waits for a person, 4 newly held back, 130 interrupted."
    " `--json` prints facts as one document. `--install-completion` completes commands in the shell."
)


def format_error(error: CycloptsError) -> Panel:
    """Return the printed form of a usage error; for a suggestion, cyclopts itself would import every command."""
    if not isinstance(error, UnknownCommandError) or error.app is not app:
        return CycloptsPanel(error)
    token = (error.unused_tokens or [""])[0]
    close = get_close_matches(token, [name for commands in COMMANDS.values() for name in commands], n=1)
    advice = f"Did you mean `{close[0]}`?" if close else "`millpond --help` lists the commands."
    return CycloptsPanel(f"Unknown command `{token}`. {advice}")


def not_below_zero(_type: object, value: object) -> None:
    """Refuse a number below zero; no count, limit or port is one.

    Raises:
        ValueError: It is one.
    """
    if isinstance(value, int | float) and value < 0:
        raise ValueError("It is below 0.")


app = App(
    name="millpond",
    console=Output(),
    help="Sync NetSuite to SuiteProjects Pro and Precoro through a local DuckDB warehouse.",
    help_epilogue=EPILOGUE,
    # of every command: a flag that is off has no opposite, a list nothing that empties it, and no number is below zero
    default_parameter=Parameter(negative=(), validator=not_below_zero),
    version=lambda: version("millpond"),
    error_formatter=format_error,
    suppress_keyboard_interrupt=False,  # exit_on_signals says what ended the command
)
for order, (panel, commands) in enumerate(COMMANDS.items()):
    group = Group(panel, sort_key=order)
    for name, (function, summary) in commands.items():
        app.command(f"orchestration.cli.{function}", name=name, help=summary, group=group)
app.register_install_completion_command(help="Complete commands and options in the shell.")


def main() -> None:
    """Run the console command: with the account's line first, and problems of the settings as lines.

    Output without a reader ends the command like SIGPIPE; what it does is done before it is printed.
    """
    with exit_on_signals():
        prepare_terminal()
        try:
            if _is_command(sys.argv[1:]):
                from orchestration.cli.start import begin  # late: `--help` needs no settings

                begin(sys.argv[1:])
            try:
                app(sys.argv[1:])
            finally:  # a small text is written only now
                flush_output()
        except (SettingsError, UpgradeError) as error:
            from orchestration.cli.facts import print_failure

            print_failure(sys.argv[1:], str(error).splitlines())
            raise SystemExit(USAGE) from None
        except BrokenPipeError:
            end_quietly()
        except Exception as error:
            from orchestration.cli.facts import print_failure
            from orchestration.cli.storage_errors import storage_problem  # late: it needs DuckDB

            problem = storage_problem(error)
            if not problem:
                raise
            print_failure(sys.argv[1:], [problem])
            raise SystemExit(FAILED) from None


def _is_command(tokens: Sequence[str]) -> bool:
    """Return whether a command is run, and not only described; after `--` there are values only."""
    commands = {name for panel in COMMANDS.values() for name in panel}
    options = tokens[: tokens.index("--")] if "--" in tokens else tokens
    return bool(tokens) and tokens[0] in commands and not {"--help", "-h", "--version"} & set(options)
