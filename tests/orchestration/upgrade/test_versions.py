"""Versions of homes and warehouses: older ones are upgraded, newer ones are refused, new ones are current."""

import json
from pathlib import Path

import pytest

from orchestration.upgrade.account_home import MARKER
from orchestration.upgrade.ensure import ensure_current
from orchestration.upgrade.errors import UpgradeError
from orchestration.upgrade.installation import current_settings
from orchestration.upgrade.migrations import MIGRATIONS
from orchestration.upgrade.perform import needed_upgrade, upgrade_all
from resources.warehouse.schema_version import SCHEMA_VERSION, stamp
from resources.warehouse.warehouse import Warehouse
from tests.orchestration.upgrade.conftest import Installation, in_use


@pytest.fixture
def empty(tmp_path: Path) -> Installation:
    """A home that nothing was ever written to."""
    (tmp_path / "workflows_0_1").mkdir()
    return Installation(tmp_path)


def test_migrations_lead_to_the_version_of_this_code() -> None:
    """Numbers without gaps, each the version that it makes."""
    assert [each.version for each in MIGRATIONS] == list(range(2, SCHEMA_VERSION + 1))


def test_a_new_home_needs_nothing(empty: Installation) -> None:
    """A command that needs no home creates none."""
    with in_use(empty):
        ensure_current(pytest.fail)

        assert not empty.home.exists()


def test_a_home_of_this_version_needs_nothing(empty: Installation) -> None:
    """A home that a first run has made is marked at the second start."""
    with in_use(empty):
        with empty.warehouse.writer() as con:
            con.execute("create table sync_links (source_id varchar)")
        ensure_current(pytest.fail)

        assert json.loads((empty.home / MARKER).read_text()) == {"version": SCHEMA_VERSION}


def test_a_warehouse_of_a_newer_version_is_refused(empty: Installation) -> None:
    """With the folder, its version, this version, and what to do; also where the home has no marker."""
    with in_use(empty):
        with empty.warehouse.writer() as con:
            stamp(con, SCHEMA_VERSION + 1)
        with pytest.raises(UpgradeError) as stopped:
            ensure_current(pytest.fail)

    text = str(stopped.value)
    assert str(empty.home) in text
    assert f"schema version {SCHEMA_VERSION + 1}" in text
    assert f"uses {SCHEMA_VERSION}" in text
    assert "a newer Millpond has upgraded it: install that one" in text


def test_a_home_of_a_newer_version_is_refused(empty: Installation) -> None:
    """The marker alone is enough: the warehouse is not opened."""
    empty.home.mkdir()
    (empty.home / MARKER).write_text('{"version": 99}')
    with in_use(empty), pytest.raises(UpgradeError, match="schema version 99"):
        ensure_current(pytest.fail)


def test_a_warehouse_of_an_older_version_is_upgraded(empty: Installation) -> None:
    """Such as one that was restored from a backup into a home of this version."""
    with in_use(empty):
        with Warehouse(empty.home / "warehouse", any_version=True).writer() as con:
            con.execute("create table sync_pins (workflow varchar, target_id varchar)")
            con.execute("insert into sync_pins values ('acme', '7')")
        upgrade_all(lambda _: None)

        assert empty.warehouse.read("select target_id from sync_manual_links").item() == "7"


def test_a_damaged_warehouse_is_left_to_its_user(empty: Installation) -> None:
    """The code location loads, and what reads the warehouse reports the problem; the home is not called current."""
    (empty.home / "warehouse").mkdir(parents=True)
    empty.warehouse.file.write_text("no database")
    with in_use(empty):
        ensure_current(pytest.fail)

        assert not (empty.home / MARKER).exists()


def test_each_account_is_upgraded(small: Installation, empty: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """With copies of its own; workflow files are shared."""
    one = small.copy(empty.folder / "one")
    accounts = empty.home / "accounts"
    accounts.mkdir(parents=True)
    one.home.rename(accounts / "acme")
    with in_use(empty):
        monkeypatch.setenv("MILLPOND_ACCOUNTS", "acme,globex")
        monkeypatch.setenv("MILLPOND_WORKFLOWS", str(one.workflows))
        lines: list[str] = []
        ensure_current(lines.append)

        links = Warehouse(accounts / "acme" / "warehouse").read("select count(*) from sync_links").item()
        assert links == 146
        assert (accounts / "acme" / "before-0.2.0" / "pond" / "stage.duckdb").exists()
        assert (empty.home / "before-0.2.0" / "workflows" / "acme__leads" / "defs.yaml").exists()
        assert not (accounts / "globex").exists()
        assert lines
        ensure_current(pytest.fail)


def test_what_is_needed_can_be_listed(old: Installation) -> None:
    """Without changing anything."""
    needed = needed_upgrade(*current_settings())

    assert f"{old.home}: schema version 1, needs {SCHEMA_VERSION}" in needed.lines
    assert f"{old.workflows / 'groups.yaml'}:9: tidy -> maintenance" in needed.lines
    assert (old.home / "pond" / "stage.duckdb").exists()
    assert not old.copies.exists()
