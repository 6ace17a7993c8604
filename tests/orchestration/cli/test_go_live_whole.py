"""Going live beside another connector, over the network: every step of the checklist, to the schedule.

served stand-ins  ->  shadow, parity, incumbent off, guards, first plan  ->  go-live  ->  schedules of Dagster
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree

import pytest

from orchestration.configuration.settings import ROOT
from resources.sandbox.sandbox import Sandbox
from tests.orchestration.cli.test_main import MILLPOND, Output, millpond

DEPARTMENTS, CUSTOMERS = "suiteprojects__customer_department", "suiteprojects__customers"
GROUPS = f"""
maintenance: {{hours: [4], on: false}}
groups:
  sales:  # both
    workflows: [{DEPARTMENTS}, {CUSTOMERS}]
    schedule: {{hours: [5]}}
    sensor: {{every_seconds: 300, on: false}}
"""
LIMITS = "guards: {create: {rows: 500}, update: {rows: 500}, deactivate: {rows: 50}}\n"


@contextmanager
def served(folder: Path) -> Iterator[None]:
    """Serve the stand-ins of a folder; `.env` has the live settings for them."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*MILLPOND, "sandbox", "serve", "--state", "standins", "--env-file", ".env"]
    server = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert server.stdout
        assert b"base_url" in server.stdout.readline()
        with (folder / ".env").open("a") as file:
            file.write(f"MILLPOND_WORKFLOWS={folder / 'files'}\n")
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def live(folder: Path, *arguments: str, home: str = "home") -> Output:
    """Run a command as the settings of `.env` say."""
    (folder / home).mkdir(exist_ok=True)
    done = millpond(folder, *arguments, MILLPOND_HOME=str(folder / home), MILLPOND_MODE="live")
    assert "Traceback" not in done.err
    return done


def limit(file: Path) -> None:
    """Give a workflow file guards for creates and updates."""
    text = file.read_text()
    before, found, after = text.partition("  guards:\n    deactivate: {percent: 5, rows: 50}\n")
    file.write_text(f"{before}  {LIMITS}{after}" if found else f"{text}\n  {LIMITS}")


def first_plan(folder: Path, workflow: str) -> Output:
    """Plan a workflow and approve the plan."""
    assert live(folder, "plan", workflow).code == 0
    plan = live(folder, "plans").out.splitlines()[1].split()[0]
    return live(folder, "apply", plan)


def failing(output: Output) -> list[str]:
    """Return the checks that did not pass: workflow and name."""
    return [line.removeprefix("✗ ").rsplit(": ", 1)[0] for line in output.lines if line.startswith("✗ ")]


@pytest.mark.long
def test_going_live_beside_another_connector_goes_through_every_step(tmp_path: Path) -> None:
    """Each refusal names the next step, and after the last one Dagster's schedules are on."""
    copytree(ROOT / "orchestration" / "workflows", tmp_path / "files")
    (tmp_path / "files" / "groups.yaml").write_text(GROUPS)
    assert millpond(tmp_path, "sandbox", "seed", "--customers", "40", "--state", "standins").code == 0
    with served(tmp_path):
        # another connector has written the same records, without our keys, and a person has edited one
        assert live(tmp_path, "run", "sales", home="other").code == 0
        sandbox = Sandbox(tmp_path / "standins")
        taken = sandbox.suiteprojects.rows("Customer")
        for number, row in enumerate(taken):
            edited = {"web": "https://typed.example"} if number == 0 else {}
            sandbox.suiteprojects.modify(
                "Customer", int(row["id"]), externalid="", netsuite_customer_id__c="", **edited
            )

        for name in (DEPARTMENTS, CUSTOMERS):
            assert live(tmp_path, "shadow", "start", name, "--beside", "the connector").code == 0
        writes = sandbox.suiteprojects.write_calls()
        assert live(tmp_path, "run", "sales").code in {0, 4}
        assert sandbox.suiteprojects.write_calls() == writes
        first = live(tmp_path, "go-live", "sales")
        assert first.code == 1
        assert "✗ not ready: nothing was switched on" in first.out
        assert "`millpond go-live sales --incumbent-off`" in first.out
        assert f"{CUSTOMERS}: parity" in "\n".join(first.lines)
        assert (tmp_path / "files" / "groups.yaml").read_text() == GROUPS

        assert live(tmp_path, "shadow", "accept", CUSTOMERS, "web", "--reason", "typed").code == 0
        for name in (DEPARTMENTS, CUSTOMERS):
            assert live(tmp_path, "shadow", "stop", name).code == 0
            limit(tmp_path / "files" / name / "defs.yaml")
        assert live(tmp_path, "validate").code == 0
        assert live(tmp_path, "go-live", "sales", "--incumbent-off", "--check").code == 1
        for name in (DEPARTMENTS, CUSTOMERS):
            assert first_plan(tmp_path, name).code == 0
        assert len(sandbox.suiteprojects.rows("Customer")) == len(taken)  # none was created twice

        ready = live(tmp_path, "go-live", "sales", "--check")
        assert ready.code == 0, ready.out
        assert ready.lines[-1] == "✓ ready; `millpond go-live sales` switches on"
        assert (tmp_path / "files" / "groups.yaml").read_text() == GROUPS
        done = live(tmp_path, "go-live", "sales")
        assert done.code == 0, done.out
        assert [line for line in done.lines if line.endswith(" is on")] == [
            "✓ maintenance_schedule is on", "✓ sales_schedule is on", "✓ sales_changes is on",
        ]  # fmt: skip
        assert "already on" in live(tmp_path, "go-live", "sales").out
