"""Everything in a home is private, whatever the umask; a group may read the snapshot and nothing else."""

import grp
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.cli.start import begin
from orchestration.configuration.private_files import make_private
from orchestration.configuration.settings import ROOT, MillpondSettings
from orchestration.configuration.settings_error import SettingsError
from orchestration.dagster_instance import prepare_home
from resources.redaction import redact
from resources.warehouse.warehouse import Warehouse


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """The umask of this process is its own again after each test."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> dict[str, str]:
    """Return everything below a folder that its group or others may use, with its mode."""
    found = {path.relative_to(folder): stat.S_IMODE(path.lstat().st_mode) for path in folder.rglob("*")}
    return {str(path): oct(mode) for path, mode in found.items() if mode & 0o077}


def settings_of(home: Path, **more: str) -> MillpondSettings:
    """Return settings with this home."""
    return MillpondSettings(home=home, **more)


def test_what_a_process_creates_is_private(tmp_path: Path) -> None:
    """Under umask 000: the warehouse, the snapshot, their logs and locks."""
    settings = settings_of(tmp_path)
    make_private(settings)
    warehouse = Warehouse(settings.warehouse)
    with warehouse.writer() as con:
        con.execute("create table a as select 1 as b")
    warehouse.publish()

    assert open_to_others(tmp_path) == {}
    assert settings.warehouse.stat().st_mode & 0o777 == 0o700
    assert warehouse.snapshot.stat().st_mode & 0o777 == 0o400


def test_what_an_earlier_version_left_open_is_closed(tmp_path: Path) -> None:
    """Other things in the folder are not ours to change."""
    for name in ("warehouse", "dagster", "accounts"):
        (tmp_path / name).mkdir(mode=0o777)
    for name in ("alerts.sqlite", "notifications.sqlite-wal", "ui_token", "suiteprojects_tokens.json", "README.md"):
        (tmp_path / name).touch(0o666)
    for name in ("millpond.duckdb", "analyst.duckdb", "millpond.duckdb.wal"):
        (tmp_path / "warehouse" / name).touch(0o666)

    make_private(settings_of(tmp_path))

    assert open_to_others(tmp_path) == {"README.md": "0o666"}


@pytest.mark.parametrize("accounts", ["", "acme,globex"])
def test_a_group_reads_the_snapshot_and_nothing_else(tmp_path: Path, accounts: str) -> None:
    """The group passes through the folders without listing them, and a newly published snapshot is its own again."""
    group = grp.getgrgid(os.getgroups()[0]) if os.getuid() else grp.getgrnam("users")
    settings = settings_of(tmp_path / "home", share_group=group.gr_name, accounts=accounts)
    make_private(settings)
    for each in settings.per_account:
        warehouse = Warehouse(each.warehouse)
        for _ in range(2):
            with warehouse.writer() as con:
                con.execute("create table if not exists a as select 1 as b")
            warehouse.publish()
    for folder in (settings.home, settings.per_account[0].account_home):  # the group may pass through both
        (folder / "audit").mkdir(exist_ok=True)
        (folder / ".env").touch()
        (folder / "audit").chmod(0o755)
        (folder / ".env").chmod(0o644)
    (tmp_path / "home" / "link").symlink_to(tmp_path)
    make_private(settings)

    on_path = {each.relative_to(tmp_path).parts[1] for each in (each.warehouse for each in settings.per_account)}
    assert {name.split("/")[0] for name in open_to_others(tmp_path / "home")} - {"link"} == on_path
    assert not [name for name in open_to_others(tmp_path / "home") if name.endswith(("audit", ".env"))]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700, "a link leads elsewhere"
    for each in settings.per_account:
        snapshot = (each.warehouse / "analyst.duckdb").stat()
        assert (stat.S_IMODE(snapshot.st_mode), snapshot.st_gid) == (0o440, group.gr_gid)
        assert open_to_others(each.warehouse) == {"analyst.duckdb": "0o440"}
        for folder in (each.warehouse, *each.warehouse.parents):
            if tmp_path in folder.parents:
                assert (stat.S_IMODE(folder.stat().st_mode), folder.stat().st_gid) == (0o2710, group.gr_gid)

    make_private(settings_of(tmp_path / "home", accounts=accounts))
    assert open_to_others(tmp_path / "home" / ("accounts" if accounts else "warehouse")) == {}
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_every_command_begins_private_and_without_secrets_in_its_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that uses no account: a rehearsal is saved in a home that it may be the first to make."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PRECORO_TOKEN", "a-token-that-nothing-shows")
    begin(["simulate"])

    assert os.umask(0) == 0o077
    assert redact("a-token-that-nothing-shows") == "<PRECORO_TOKEN>"


@pytest.mark.parametrize(("before", "after"), [(0o777, 0o755), (0o775, 0o755), (0o1777, 0o1777), (0o700, 0o700)])
def test_no_one_else_may_replace_the_files_of_a_home(tmp_path: Path, before: int, after: int) -> None:
    """Whoever writes in a folder replaces its files, whatever their modes; with the sticky bit only their owners do."""
    tmp_path.chmod(before)
    make_private(settings_of(tmp_path))

    assert stat.S_IMODE(tmp_path.stat().st_mode) == after


def test_an_unknown_group_is_named(tmp_path: Path) -> None:
    """Before anything is shared."""
    with pytest.raises(SettingsError, match="MILLPOND_SHARE_GROUP: no group analysts-of-nowhere"):
        make_private(settings_of(tmp_path, share_group="analysts-of-nowhere"))


@pytest.mark.long
def test_a_whole_home_is_private_under_an_open_umask(tmp_path: Path) -> None:
    """The command line and Dagster: databases, event logs, queues, the sandbox."""
    environment = {**os.environ, "MILLPOND_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    environment.pop("DAGSTER_HOME", None)
    script = (
        "import os; os.umask(0)\n"
        "from orchestration.cli.start import begin\n"
        "from orchestration.configuration.settings import MillpondSettings\n"
        "begin(['validate'])\n"
        "from orchestration.dagster_instance import open_instance\n"
        "from orchestration.realtime.queue import NotificationQueue\n"
        "from orchestration.web.webserver import sign_in_token\n"
        "settings = MillpondSettings()\n"
        "open_instance(settings).dispose(); NotificationQueue(settings.account_home); sign_in_token(settings)\n"
    )
    subprocess.run([sys.executable, "-c", script], env=environment, cwd=tmp_path, check=True, capture_output=True)

    assert open_to_others(tmp_path / "home") == {}
    assert {path.name for path in (tmp_path / "home").iterdir()} >= {"dagster", "notifications.sqlite", "ui_token"}


def test_dagsters_settings_are_whole_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that run already start others, which read the file: without it, they would store secrets."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    prepare_home(MillpondSettings())
    file, (soft, hard) = tmp_path / "dagster" / "dagster.yaml", resource.getrlimit(resource.RLIMIT_FSIZE)
    before = file.read_text()
    monkeypatch.delenv("DAGSTER_HOME")
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            prepare_home(MillpondSettings())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert file.read_text() == before != ""
