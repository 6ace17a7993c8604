"""Ctrl-C and SIGTERM at any moment: the summary says what was confirmed, and nothing stays open."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.orchestration.cli.test_main import call
from tests.orchestration.conftest import Home
from tests.orchestration.expected_targets import target_options

RUN = (
    "import os, sys; from orchestration.cli.run import run_job; from resources import failpoints\n"
    "stop = lambda: os.kill(os.getpid(), int(sys.argv[1]))\n"
    "failpoints.arm('plan_taken', strike=lambda: failpoints.arm('request_begins', skip=5, strike=stop))\n"
    "sys.exit(run_job('precoro__options'))"
)


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_reports_what_was_confirmed(seeded: Home, number: signal.Signals, code: int) -> None:
    """Not what was planned; the exit code is a shell's, and the next run completes the records."""
    output = call([sys.executable, "-W", "ignore", "-c", RUN, str(int(number))], seeded.folder, **os.environ)

    confirmed = len(target_options(seeded.sandbox))
    assert output.code == code, output.out + output.err
    assert 0 < confirmed <= 6
    assert output.counts("created") == [confirmed]
    assert [state for state, _, _ in output.workflows] == ["died"]
    assert f"interrupted by {number.name}" in output.out
    assert f"{confirmed} of " in output.out
    assert "Traceback" not in output.out + output.err
    states = "select state from sync_runs union all select state from sync_plans"
    assert "sending" not in seeded.warehouse.read(states)["state"].to_list()

    assert seeded.run("precoro__options").success
    keys = [option["external_id"] for option in target_options(seeded.sandbox)]
    assert len(set(keys)) == len(keys) > confirmed


READ = (
    "import os, signal, sys; from orchestration.cli.run import run_job; from resources import failpoints\n"
    "stop = lambda: os.killpg(0, signal.SIGINT)\n"
    "os.setpgrp(); failpoints.arm('request_begins', skip=2, strike=stop)\n"
    "sys.exit(run_job('precoro__options'))"
)


@pytest.mark.long
def test_ctrl_c_while_netsuite_is_read_ends_the_run(seeded: Home) -> None:
    """A terminal sends it to every process of the command; the step is not tried again, and nothing is sent."""
    output = call([sys.executable, "-W", "ignore", "-c", READ], seeded.folder, **os.environ)

    assert output.code == 130, output.out + output.err
    assert "interrupted by SIGINT" in output.out
    assert "Traceback" not in output.out + output.err
    assert not target_options(seeded.sandbox)


IN_FINALIZER = """
import os, signal
from orchestration.cli.signals import exit_on_signals
from orchestration.redaction import install
class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
with exit_on_signals():
    install()
    Finalized()
    print("went on")
"""


def test_a_signal_in_a_finalizer_ends_the_command(tmp_path: Path) -> None:
    """Python cannot raise it there, and would print a traceback and go on."""
    output = call([sys.executable, "-c", IN_FINALIZER], tmp_path, **os.environ)

    assert (output.code, output.out) == (130, "")
    assert output.err.startswith("interrupted by SIGINT; ")


# sends the signal to itself when a module is imported for the first time: a moment before Dagster starts a run
AT_IMPORT = """
import os, sys
number, module, *sys.argv[1:] = sys.argv[1:]
class Stop:
    def find_spec(self, name, *_):
        if name == module:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), int(number))
sys.meta_path.insert(0, Stop())
from orchestration.cli.entry import main
main()
"""


@pytest.mark.parametrize(
    ("number", "module", "command"),
    [
        (signal.SIGINT, "cyclopts", ["run", "all"]),
        (signal.SIGTERM, "orchestration.configuration.settings", ["plan", "all"]),
        (signal.SIGINT, "dagster", ["run", "reconcile"]),
        (signal.SIGTERM, "orchestration.definitions", ["run", "all"]),
        (signal.SIGINT, "sqlalchemy.dialects.sqlite", ["plan", "all"]),
        (signal.SIGTERM, "resources.sandbox.sandbox", ["apply", "0"]),
        (signal.SIGINT, "resources.sandbox.generator.companies", ["demo"]),
        (signal.SIGTERM, "polars", ["validate"]),
    ],
)
def test_a_command_that_has_not_begun_ends_with_one_line(
    seeded: Home, number: signal.Signals, module: str, command: list[str]
) -> None:
    """Whatever was being imported or opened; there is no traceback, and a lost signal would be one as well."""
    script = [sys.executable, "-W", "ignore", "-c", AT_IMPORT, str(int(number)), module]
    output = call([*script, *command], seeded.folder, **os.environ, DEMO_UI="0")

    lines = [line for line in output.err.splitlines() if not line.startswith("sandbox: ")]
    assert output.code == 128 + number, output.out + output.err
    assert lines == [
        f"interrupted by {number.name}; run the command again: it checks first what this one may have left"
    ]
    assert output.out == ""
    assert not seeded.warehouse.exists()


APPLY = (
    "import os, sys; from resources import failpoints\n"
    "number = int(sys.argv.pop(1)); stop = lambda: os.kill(os.getpid(), number)\n"
    "failpoints.arm('plan_taken', strike=lambda: failpoints.arm('request_begins', skip=5, strike=stop))\n"
    "from orchestration.cli.entry import main; main()"
)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_apply_leaves_nothing_open(seeded: Home, number: signal.Signals) -> None:
    """It sends without a Dagster run; the next run completes the records, once each."""
    assert seeded.run("precoro__options__plan").success
    (plan,) = seeded.warehouse.read("select plan_id from sync_plans")["plan_id"]

    command = [sys.executable, "-W", "ignore", "-c", APPLY, str(int(number)), "apply", plan]
    output = call(command, seeded.folder, **os.environ)

    assert output.code == 128 + number, output.out + output.err
    assert f"interrupted by {number.name}; " in output.err
    assert "Traceback" not in output.out + output.err
    states = "select state from sync_runs union all select state from sync_plans"
    assert "sending" not in seeded.warehouse.read(states)["state"].to_list()
    confirmed = len(target_options(seeded.sandbox))
    assert 0 < confirmed <= 6

    assert seeded.run("precoro__options").success
    keys = [option["external_id"] for option in target_options(seeded.sandbox)]
    assert len(set(keys)) == len(keys) > confirmed
