"""`millpond upgrade`, and the upgrade before any other command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.cli.main import main
from orchestration.configuration.settings import ROOT
from orchestration.upgrade import user_files

OLD_WORKFLOW = """\
type: assets.delivery.workflow.SyncWorkflow
attributes:
  target: suiteprojects.Customer
  source: customers
  fields: [{field: externalid, from: customer_id, locked: true}, {field: name, from: entity_number, blank: keep}]
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workflow file of version 0.1, without a home."""
    made = tmp_path / "workflows" / "leads" / "defs.yaml"
    made.parent.mkdir(parents=True)
    made.write_text(OLD_WORKFLOW)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MILLPOND_WORKFLOWS", str(tmp_path / "workflows"))
    return made


def run(monkeypatch: pytest.MonkeyPatch, *tokens: str) -> int:
    """Run the console command in this process; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["millpond", *tokens])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0)


def test_check_lists_and_changes_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code says whether an upgrade is needed."""
    assert run(monkeypatch, "upgrade", "--check") == 1
    assert f"{file}:5: blank -> on_blank" in capsys.readouterr().out
    assert file.read_text() == OLD_WORKFLOW


def test_check_names_what_cannot_be_written(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before an upgrade stops at it."""
    access = os.access
    monkeypatch.setattr(
        user_files.os, "access", lambda path, mode, **how: Path(path) != file and access(path, mode, **how)
    )
    assert run(monkeypatch, "upgrade", "--check") == 1
    assert "files with names of an earlier version cannot be written" in capsys.readouterr().out


def test_upgrade_prints_what_it_changed_and_where_the_copies_are(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second one has nothing to do."""
    assert run(monkeypatch, "upgrade") == 0
    printed = capsys.readouterr().out
    assert str(file) in printed
    assert str(tmp_path / "home" / "before-0.2.0") in printed
    assert "on_blank: keep" in file.read_text()
    assert (tmp_path / "home" / "before-0.2.0" / "workflows" / "leads" / "defs.yaml").read_text() == OLD_WORKFLOW

    assert run(monkeypatch, "upgrade") == 0
    assert "nothing to upgrade" in capsys.readouterr().out
    assert run(monkeypatch, "upgrade", "--check") == 0


def test_any_command_upgrades_first(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its report goes to stderr: a command's output may be a file."""
    assert run(monkeypatch, "validate") == 0
    printed = capsys.readouterr()
    assert str(file) in printed.err
    assert "before-0.2.0" not in printed.out
    assert "✓ leads" in printed.out


def test_help_upgrades_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading about a command does not use the home."""
    assert run(monkeypatch, "validate", "--help") == 0
    assert file.read_text() == OLD_WORKFLOW


def test_an_error_names_the_variable(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, no traceback."""
    monkeypatch.setenv("MILLPOND_KEEP_DAYS", "30")
    for command in ("validate", "upgrade"):
        assert run(monkeypatch, command) == 2
        assert "MILLPOND_KEEP_DAYS (now MILLPOND_KEEP_HISTORY_DAYS)" in " ".join(capsys.readouterr().out.split())
    assert file.read_text() == OLD_WORKFLOW


def test_the_check_of_a_current_home_is_quick(tmp_path: Path) -> None:
    """It loads neither Dagster nor DuckDB: commands that need neither stay as quick as they were."""
    code = (
        "import sys; from orchestration.upgrade.ensure import ensure_current; ensure_current(print);"
        " print(sorted({'dagster', 'duckdb', 'polars'} & sys.modules.keys()))"
    )
    environment = {"PYTHONPATH": str(ROOT), "MILLPOND_HOME": str(tmp_path), "PATH": ""}
    (tmp_path / "version.json").write_text('{"version": 2}')
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
