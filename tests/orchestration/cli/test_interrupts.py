"""Ctrl-C and SIGTERM while records are sent: the summary says what was confirmed, and nothing stays open."""

import os
import signal
import sys

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


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_reports_what_was_confirmed(seeded: Home, number: signal.Signals, code: int) -> None:
    """Not what was planned; the exit code is a shell's, and the next run completes the records."""
    output = call([sys.executable, "-W", "ignore", "-c", RUN, str(int(number))], seeded.folder, **os.environ)

    confirmed = len(target_options(seeded.sandbox))
    assert output.code == code, output.out + output.err
    assert 0 < confirmed <= 6
    assert output.row("created") == [str(confirmed)]
    assert output.row("state") == ["died"]
    assert f"interrupted by {number.name}" in output.out
    assert f"{confirmed} of " in output.out
    assert "Traceback" not in output.out + output.err
    states = "select state from sync_runs union all select state from sync_plans"
    assert "sending" not in seeded.warehouse.read(states)["state"].to_list()

    assert seeded.run("precoro__options").success
    keys = [option["external_id"] for option in target_options(seeded.sandbox)]
    assert len(set(keys)) == len(keys) > confirmed
