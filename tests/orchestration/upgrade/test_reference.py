"""docs/upgrade.md lists every rename."""

import re

import pytest

import sql
from orchestration.cli.main import COMMANDS
from orchestration.definitions import definitions
from orchestration.upgrade.m0002_plain_names import names
from tests.orchestration.upgrade.renames_page import COMMANDS as RENAMED_COMMANDS
from tests.orchestration.upgrade.renames_page import DAGSTER, PAGE, VIEWS, page, sections


def test_the_page_is_generated_from_the_renames() -> None:
    """`python -m tests.orchestration.upgrade.renames_page` renews it."""
    text = PAGE.read_text()

    assert page(text) == text


def test_tables_and_columns_of_the_page_exist() -> None:
    """A name of this version that someone renames again would be found here."""
    ledger = {name: sql.statement("ledger", name).column_comments.keys() for name in sql.names("ledger")}

    assert set(names.TABLES.values()) <= ledger.keys()
    for table, columns in names.COLUMNS.items():
        if table in ledger:
            assert set(columns.values()) <= ledger[table]
            assert not columns.keys() & ledger[table]
    for table, added in names.ADDED_COLUMNS.items():
        assert added.keys() <= ledger[table]
    for _, new, where in VIEWS:
        for view in where.replace("()", "").split(", "):
            text = sql.statement("analytics", view).text
            assert not [name for name in new.split(", ") if not re.search(rf"\b{name}\b", text)], view


def test_commands_of_the_page_exist() -> None:
    """Old ones are gone, new ones are there."""
    commands = {name for panel in COMMANDS.values() for name in panel}
    for old, new, _ in RENAMED_COMMANDS:
        if old.startswith("millpond ") and "sandbox" not in old:
            assert old.split()[1] not in commands
            assert new.split()[1] in commands


@pytest.mark.usefixtures("home")
def test_names_of_the_code_location_exist() -> None:
    """Jobs, checks, schedules, sensors and groups of the page are those that Dagster loads."""
    repository = definitions().get_repository_def()
    jobs = {job.name for job in repository.get_all_jobs()}
    checks = {key.name for key in repository.asset_graph.asset_check_keys}
    instigators = {each.name for each in (*repository.schedule_defs, *repository.sensor_defs)}
    for old, new, kind in DAGSTER:
        if kind.startswith("job"):
            assert set(new.split(", ")) <= jobs
            assert old not in jobs
        if kind.startswith("asset check"):
            assert new in checks
            assert old not in checks
    assert set(names.INSTIGATORS.values()) <= instigators
    assert not names.INSTIGATORS.keys() & instigators


def test_every_table_of_the_page_has_rows() -> None:
    """No section is empty."""
    assert all(rows for _, _, rows in sections())
