"""`millpond backup` writes a home into one private, checked file while others use it."""

import json
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from orchestration.backup.archive import write_archive
from orchestration.backup.errors import BackupError
from orchestration.backup.home_use import sole_use
from orchestration.backup.manifest import Manifest
from orchestration.cli.main import app
from orchestration.configuration.settings import ROOT
from orchestration.web.identity import Role
from orchestration.web.users import Users
from resources import failpoints
from resources.scratch import remove_left
from resources.suiteprojects.tokens import TokenFile, Tokens
from resources.warehouse.warehouse import Warehouse
from tests.archives import unpack
from tests.orchestration.backup.conftest import WORKFLOW, fill, value
from tests.orchestration.conftest import Home

KEY = Fernet.generate_key().decode()


def millpond(*tokens: object) -> int:
    """Run a command in this process."""
    with pytest.raises(SystemExit) as ended:
        app([str(each) for each in tokens])
    return int(ended.value.code or 0)


def manifest_of(file: Path) -> Manifest:
    """Return an archive's manifest."""
    with tarfile.open(file) as archive:
        content = archive.extractfile("manifest.json")
        assert content
        return Manifest.parse(content.read())


def test_a_backup_is_private_complete_and_not_overwritten(small: Home, tmp_path: Path) -> None:
    """Mode 0600, whatever the umask; every member with its checksum; whose it is and how far the ledger went."""
    file = tmp_path / "backup.tar.gz"

    assert millpond("backup", file) == 0

    manifest = manifest_of(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert {each.path for each in manifest.members} == {
        "warehouse/millpond.duckdb", "warehouse/switches.json", "notifications.sqlite",
    }  # fmt: skip
    (facts,) = manifest.accounts
    assert (facts.netsuite, facts.position) == ({"host": "netsuite.example", "account": "1234567"}, 1)
    with tarfile.open(file) as archive:
        assert archive.getnames()[0] == "manifest.json"
        assert all(each.mode == 0o600 for each in archive)
    before = file.read_bytes()
    assert millpond("backup", file) == 2
    assert file.read_bytes() == before
    assert millpond("backup", file, "--force") == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == ["backup.tar.gz", "home"]
    assert not [each.name for each in small.folder.iterdir() if each.name.startswith(".backup")]


def test_a_backup_holds_its_file_until_it_has_its_name(tmp_path: Path) -> None:
    """Another one to the same file, that begins just then, does not take it for that of a killed process."""
    manifest = Manifest("1.0", "2026-11-16T06:00:00", "file", [], [])
    failpoints.arm("backup_written", strike=lambda: remove_left(tmp_path, ".backup.tar.gz.*.tmp"))

    write_archive(tmp_path / "backup.tar.gz", manifest, tmp_path, replace=False)

    assert [each.name for each in tmp_path.iterdir()] == ["backup.tar.gz"]


def test_a_backup_while_others_write_is_of_one_moment(small: Home, tmp_path: Path) -> None:
    """A writer changes two tables in each transaction; the copy has one of its states, and the writer goes on."""
    program = (
        "import sys; from pathlib import Path; from resources.warehouse.warehouse import Warehouse\n"
        "warehouse = Warehouse(Path(sys.argv[1]))\n"
        "number = 0\n"
        "while not Path(sys.argv[2]).exists() or not number:\n"
        "    number += 1\n"
        "    with warehouse.writer() as con:\n"
        "        for table in ('one', 'two'):\n"
        "            con.execute(f'create or replace table {table} as select {number} as n, md5(i::varchar) as text"
        " from range(20000) r(i)')\n"
        "    if number == 1: print('ready', flush=True)\n"
    )
    stop, environment = tmp_path / "stop", {"PYTHONPATH": str(ROOT)}
    writer = subprocess.Popen(
        [sys.executable, "-c", program, str(small.warehouse.folder), str(stop)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert writer.stdout
    assert writer.stdout.readline() == "ready\n"
    assert millpond("backup", tmp_path / "file.tar.gz") == 0
    stop.touch()
    errors = writer.communicate(timeout=60)[1]

    assert (writer.returncode, errors) == (0, "")
    unpack(tmp_path / "file.tar.gz", tmp_path / "out")
    copy = Warehouse(tmp_path / "out" / "warehouse")
    numbers = copy.read("select distinct n from one union select distinct n from two")
    assert numbers.height == 1


@pytest.mark.parametrize("key", ["", KEY], ids=["without a key", "with a key"])
def test_secrets_in_plain_are_left_out_and_sealed_ones_stay_sealed(
    small: Home, tmp_path: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a key the tokens are left out, which is said; with one they are as they are at rest."""
    TokenFile(small.folder / "suiteprojects_tokens.json", key).save(Tokens("secret access", "secret refresh"))
    (small.folder / "ui_token").write_text("token of the interface")

    assert millpond("backup", tmp_path / "one.tar.gz") == 0
    said = capsys.readouterr().out
    assert millpond("backup", tmp_path / "two.tar.gz", "--with-tokens") == 0

    members = {each.path for each in manifest_of(tmp_path / "one.tar.gz").members}
    assert ("suiteprojects_tokens.json" in members) == bool(key)
    assert "ui_token" not in members
    assert "ui_token: left out, because it is not encrypted" in said
    assert ("suiteprojects_tokens.json: left out" in said) == (not key)
    with tarfile.open(tmp_path / "one.tar.gz") as archive:
        contents = [archive.extractfile(each) for each in archive]
        assert not any(each and b"secret" in each.read() for each in contents)
    assert {"suiteprojects_tokens.json", "ui_token"} <= {
        each.path for each in manifest_of(tmp_path / "two.tar.gz").members
    }


def test_a_restore_brings_back_every_part_and_keeps_the_former_home(
    small: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And restoring the folder of former files undoes it; the ledger has the restore."""
    assert millpond("backup", tmp_path / "one.tar.gz") == 0
    fill(small, "two")
    sandbox = (small.folder / "sandbox").stat().st_ino

    assert millpond("restore", tmp_path / "one.tar.gz") == 0

    assert value(small) == "one"
    assert json.loads((small.warehouse.folder / "switches.json").read_text())[WORKFLOW]["reason"] == "one"
    assert small.warehouse.snapshot.exists()
    restore = small.warehouse.read("select position, former from sync_restores").row(0, named=True)
    assert restore["position"] == 1
    former = Path(restore["former"])
    assert Warehouse(former / "warehouse").read("select value from content").item() == "two"
    assert str(former) in capsys.readouterr().out.replace("\n", "")
    assert (small.folder / "sandbox").stat().st_ino == sandbox
    left = {each.name for each in small.folder.iterdir()}
    assert not {each for each in left if each.startswith(".") or each == "restore.json"}

    assert millpond("restore", former) == 0
    assert value(small) == "two"
    assert small.warehouse.table("sync_restores").height == 1


def test_every_database_of_dagster_that_a_backup_has_is_restored(small: Home, tmp_path: Path) -> None:
    """Also `.db`, which Dagster makes for events that belong to no run."""
    runs = small.folder / "dagster" / "history" / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    for name in (".db", "8d4ddcc1-80f5-4108-8e91-1c0d8b2148f0.db", "a copy (1).db"):
        with closing(sqlite3.connect(runs / name)) as con, con:
            con.execute("create table content (value)")

    assert millpond("backup", tmp_path / "runs.tar.gz", "--with-runs") == 0
    shutil.rmtree(runs)

    assert millpond("restore", tmp_path / "runs.tar.gz") == 0
    assert {each.name for each in runs.iterdir()} == {".db", "8d4ddcc1-80f5-4108-8e91-1c0d8b2148f0.db"}


def test_a_number_of_a_notification_is_never_given_twice(small: Home, tmp_path: Path) -> None:
    """A full run that covered later notifications would otherwise cover those after the restore as well."""
    from orchestration.realtime.queue import NotificationQueue

    assert millpond("backup", tmp_path / "one.tar.gz") == 0
    for number in range(5):
        fill(small, f"later {number}")
    last = max(each.number for each in NotificationQueue(small.folder).due({"x": []})["x"])

    assert millpond("restore", tmp_path / "one.tar.gz") == 0

    queue = NotificationQueue(small.folder)
    queue.add("customers", "new", is_deleted=False, nonce="new", now=2000.0, remember_s=10.0)
    pending = {each.record_id: each.number for each in queue.due({"x": []})["x"]}
    assert pending.keys() == {"one", "new"}
    assert pending["new"] > last


def test_what_the_home_has_newer_is_kept(small: Home, tmp_path: Path) -> None:
    """A token that was renewed since, and the calls of today; without them, or if damaged, those of the backup."""
    from resources.rate_limit import CallBudget, Window

    tokens, budget = small.folder / "suiteprojects_tokens.json", small.folder / "precoro_budget.sqlite"
    windows = [Window("day", 10, 86_400)]

    def calls() -> int:
        return 10 - CallBudget(budget, windows, small.sandbox.clock).remaining("x")["day"]

    TokenFile(tokens).save(Tokens("old"))
    CallBudget(budget, windows, small.sandbox.clock).acquire("x")
    assert millpond("backup", tmp_path / "one.tar.gz", "--with-tokens") == 0
    TokenFile(tokens).save(Tokens("new"))
    CallBudget(budget, windows, small.sandbox.clock).acquire("x")

    assert millpond("restore", tmp_path / "one.tar.gz") == 0
    assert (TokenFile(tokens).read().access_token, calls()) == ("new", 2)
    tokens.unlink()
    budget.write_bytes(b"no database")
    for beside in ("-wal", "-shm"):
        budget.with_name(f"{budget.name}{beside}").unlink(missing_ok=True)
    assert millpond("restore", tmp_path / "one.tar.gz") == 0
    assert (TokenFile(tokens).read().access_token, calls()) == ("old", 1)


def test_a_restore_gives_no_one_back_what_was_taken_away(
    small: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Users, roles and the sign-in token of the home are kept if they are usable: those of the backup are older."""
    file, users, token = tmp_path / "backup.tar.gz", Users(small.folder / "users.json"), small.folder / "ui_token"
    for name in ("ada", "olga"):
        users.add(name, Role.APPROVER, "correct horse battery")
    token.write_text("the-token-of-the-backup")
    assert millpond("backup", file, "--with-tokens") == 0
    users.remove("ada")
    users.set_role("olga", Role.VIEWER)
    token.write_text("the-token-that-replaced-it")

    assert millpond("restore", file) == 0
    assert "users.json: that of the home is kept" in " ".join(capsys.readouterr().out.split())
    assert {name: each.role for name, each in users.all().items()} == {"olga": Role.VIEWER}
    assert token.read_text() == "the-token-that-replaced-it"
    users.remove("olga")
    assert millpond("restore", file) == 0
    assert not users.all()
    users.file.write_text('{"format": 1')
    token.write_text("")
    assert millpond("restore", file) == 0
    assert sorted(users.all()) == ["ada", "olga"]
    assert token.read_text() == "the-token-of-the-backup"


@pytest.mark.long
def test_a_restore_is_refused_while_another_process_uses_the_home(
    small: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its id is named; and no command starts while a restore goes on."""
    assert millpond("backup", tmp_path / "one.tar.gz") == 0
    program = (
        "import sys; from pathlib import Path; from orchestration.backup.home_use import use_home\n"
        "use_home(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(small.folder)]
    other = subprocess.Popen(
        command, env={"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout
    assert other.stdout.readline() == "ready\n"
    capsys.readouterr()
    assert millpond("restore", tmp_path / "one.tar.gz") == 2
    said = " ".join(capsys.readouterr().out.split())
    assert f"is in use by process {other.pid}; stop the UI, the webhook, workers and runs" in said
    other.communicate("")

    assert millpond("restore", tmp_path / "one.tar.gz") == 0
    with sole_use(small.folder):
        refused = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert BackupError.__name__ in refused.stderr
    assert "is being restored by process" in refused.stderr
