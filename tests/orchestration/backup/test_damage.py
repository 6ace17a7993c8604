"""A damaged file of a home is one line that names it and the way back, for every command; never a traceback."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import duckdb
import pytest

from orchestration.cli.main import main
from orchestration.configuration.settings import ROOT, MillpondSettings
from orchestration.home_check import check_home
from resources.clock import WallClock
from resources.rate_limit import CallBudget, Window
from resources.sqlite_file import DamagedFileError
from resources.way_back import way_back

WAREHOUSE = "warehouse/millpond.duckdb"
FILES = (
    WAREHOUSE, "warehouse/switches.json", "notifications.sqlite", "alerts.sqlite", "precoro_budget.sqlite",
    "users.json", "dagster/history/runs.db", "dagster/schedules/schedules.db",
)  # fmt: skip
COMMANDS = (("links",), ("plans",), ("explain", "1"), ("alerts", "show"), ("run", "all"), ("backup", "x.tar.gz"))


def truncate(file: Path) -> None:
    """Keep the first half."""
    os.truncate(file, file.stat().st_size // 2)


def directory(file: Path) -> None:
    """Put a folder in its place."""
    file.unlink()
    file.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated": truncate,
    "zeroed": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "random": lambda file: file.write_bytes(Random(3).randbytes(file.stat().st_size)),
    "empty": lambda file: os.truncate(file, 0),
    "a directory": directory,
}


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with every file, which tests copy."""
    from orchestration.alerts.store import AlertStore
    from orchestration.configuration.settings import MillpondSettings
    from orchestration.dagster_instance import open_instance
    from tests.orchestration.backup.conftest import fill
    from tests.orchestration.conftest import at_home

    folder = tmp_path_factory.mktemp("complete") / "home"
    with at_home(folder) as home, pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        fill(home)
        AlertStore(folder / "alerts.sqlite")
        CallBudget(folder / "precoro_budget.sqlite", [Window("day", 3, 86_400)], WallClock()).acquire("x")
        (folder / "users.json").write_text('{"format": 1, "users": {}}')
        with open_instance(MillpondSettings()) as instance:
            instance.get_runs_count()
            instance.all_instigator_state()
        patch.delenv("DAGSTER_HOME", raising=False)
    for left in folder.rglob("*-wal"):
        with closing(sqlite3.connect(left.with_name(left.name.removesuffix("-wal")))) as con:
            con.execute("pragma wal_checkpoint(truncate)")
    return folder


@pytest.fixture
def damaged(complete: Path, tmp_path: Path) -> Path:
    """A copy of it, in use."""
    shutil.copytree(complete, tmp_path / "home")
    return tmp_path / "home"


def said_by(home: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return exit code and output of a command; another exception than its exit is an error of the test."""
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(home))
        patch.setenv("MILLPOND_MODE", "sandbox")
        patch.delenv("DAGSTER_HOME", raising=False)
        patch.setattr(sys, "argv", ["millpond", *command])
        patch.chdir(home.parent)
        with pytest.raises(SystemExit) as ended:
            main()
    written = capsys.readouterr()
    return int(ended.value.code or 0), " ".join((written.out + written.err).split())


@pytest.mark.long
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_each_command_says_which_file_is_damaged_and_what_to_do(
    damaged: Path, name: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, once, and the file is not touched: it may still be needed to repair it."""
    file = damaged / name
    DAMAGES[damage](file)
    if (name.endswith(".db") and damage == "empty") or (name == WAREHOUSE and damage == "truncated"):
        return  # Dagster creates its tables again; the warehouse's header is intact: the next test
    before = None if file.is_dir() else file.read_bytes()
    for command in COMMANDS:
        code, said = said_by(damaged, command, capsys)
        assert (code, "Traceback" in said) == (2, False), (command, said)
        assert said.count(str(file)) == 1, (command, said)
        assert " ".join(way_back(file).split()) in said, (command, said)
    assert before is None or file.read_bytes() == before


@pytest.mark.parametrize("share", [0, 0.1])
def test_a_warehouse_that_is_damaged_inside_is_one_line(
    damaged: Path, share: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file with an intact header is only found damaged when it is read; some parts are never read by a command."""
    file = damaged / WAREHOUSE
    content = bytearray(file.read_bytes())
    start = 12_288 + int((len(content) - 12_288) * share)
    content[start:] = Random(5).randbytes(len(content) - start)
    file.write_bytes(content)
    for command in COMMANDS[:3]:
        code, said = said_by(damaged, command, capsys)
        assert code, (command, said)
        assert "Traceback" not in said, (command, said)
        assert str(file) in said, (command, said)
        assert "restore a backup (`millpond restore FILE`)" in said, (command, said)


def test_a_warehouse_of_another_format_is_one_line(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Made by another DuckDB, or by another program; it is intact, so only opening it fails."""
    file = damaged / WAREHOUSE
    file.unlink()
    duckdb.connect(file, config={"storage_compatibility_version": "latest"}).close()

    code, said = said_by(damaged, ("links",), capsys)

    assert (code, "Traceback" in said, said.count(str(file))) == (1, False, 2), said
    assert "restore a backup (`millpond restore FILE`)" in said


def test_what_is_wrong_with_a_database_is_named(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SQLite's report begins with a title, which is the same for every damage."""
    file = damaged / "alerts.sqlite"
    content = bytearray(file.read_bytes())
    content[4096 + 3] ^= 0x10  # the number of cells on the second page
    file.write_bytes(content)

    _, said = said_by(damaged, ("links",), capsys)

    assert f"{file}: damaged: " in said
    assert "***" not in said


@pytest.mark.parametrize("damage", ["truncated", "zeroed", "random", "empty"])
def test_a_damaged_budget_allows_no_call(damaged: Path, damage: str) -> None:
    """In a process that is running already as well: a limit that is not known is not unlimited."""
    file = damaged / "precoro_budget.sqlite"
    DAMAGES[damage](file)

    with pytest.raises(DamagedFileError, match="nothing is called until it is repaired"):
        CallBudget(file, [Window("day", 3, 86_400)], WallClock()).acquire("x")


OTHER_USER = """
import os, sys
import orchestration.cli.facts, orchestration.cli.start, orchestration.cli.storage_errors
from orchestration.cli.main import main
os.setgroups([]); os.setegid(65534); os.seteuid(65534)
sys.argv = ["millpond", "links"]
main()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("what", ["home", "file", "read-only", "unreachable"])
def test_a_home_of_another_user_or_without_write_access_is_reported_at_start(complete: Path, what: str) -> None:
    """One line with both users, and exit code 2; before anything else is tried."""
    with TemporaryDirectory() as folder:
        damaged = Path(folder) / "home"
        shutil.copytree(complete, damaged)
        Path(folder).chmod(0o700 if what == "unreachable" else 0o755)
        _is_reported(damaged, what)


def _is_reported(damaged: Path, what: str) -> None:
    for path in (damaged, *damaged.rglob("*")) if what != "home" else ():
        os.chown(path, 65534, 65534)
    if what == "file":
        os.chown(damaged / WAREHOUSE, 0, 0)
        (damaged / WAREHOUSE).chmod(0o600)
    if what == "read-only":
        for path in (damaged, damaged / "warehouse"):
            path.chmod(0o500)
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "MILLPOND_HOME": str(damaged), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", OTHER_USER],
        cwd="/", env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr

    assert done.returncode == 2, said
    assert "Traceback" not in said
    problems = [line for line in said.splitlines() if line.startswith("✗")]
    assert len(problems) == 1, said
    reasons = {"read-only": "this user may not read and write it", "unreachable": "Permission denied"}
    assert reasons.get(what, "belongs to user root, but this process runs as user") in problems[0]
    assert str(damaged / WAREHOUSE if what == "file" else damaged) in problems[0]


@pytest.mark.parametrize("name", [WAREHOUSE, *(pytest.param(each, marks=pytest.mark.long) for each in FILES[1:3])])
@pytest.mark.parametrize(
    "damage", ["random", "a directory", *(pytest.param(each, marks=pytest.mark.long) for each in ("empty", "zeroed"))]
)
def test_a_damaged_home_can_be_restored(
    complete: Path, damaged: Path, name: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Damage that every other command refuses is the reason for this one; the file is kept with the former ones."""
    file, archive = damaged / name, damaged.parent / "backup.tar.gz"
    assert said_by(damaged, ("backup", str(archive)), capsys)[0] == 0
    DAMAGES[damage](file)
    assert said_by(damaged, ("links",), capsys)[0] == 2

    code, said = said_by(damaged, ("restore", str(archive)), capsys)

    assert code == 0, said
    assert said_by(damaged, ("plans",), capsys)[0] == 0
    (former,) = damaged.glob("before-restore-*")
    assert (former / name).exists()
    assert file.is_file()
    assert (complete / name).stat().st_size > 0


def test_a_check_of_the_home_leaves_open_databases_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of Dagster's has its own connections open, and another one would remove the log that these write to."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    file = tmp_path / "dagster" / "history" / "runs.db"
    file.parent.mkdir(parents=True)
    write = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('insert into t values (2)'); c.commit()"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table t (a)")

        check_home(MillpondSettings())

        subprocess.run([sys.executable, "-S", "-c", write, str(file)], check=True)
        assert file.with_name("runs.db-wal").exists()
