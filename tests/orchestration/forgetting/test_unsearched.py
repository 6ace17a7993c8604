"""Places that `millpond forget` does not search are named, with what to do."""

from pathlib import Path

import pytest

from orchestration.configuration.settings import MillpondSettings
from orchestration.forgetting.unsearched import COPIES, EVENTS, LOGS, unsearched


def test_places_that_are_not_searched_are_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lake's earlier snapshots, Dagster's database, Dagster's files elsewhere; the rest is always named."""
    dagster = tmp_path / "dagster"
    dagster.mkdir()
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    assert [*unsearched(MillpondSettings())] == [LOGS, COPIES]

    monkeypatch.setenv("DAGSTER_HOME", str(dagster))
    assert f"Dagster's files in {dagster}" in next(unsearched(MillpondSettings()))

    (dagster / "dagster.yaml").write_text("storage: {postgres: {postgres_db: {}}}")
    monkeypatch.setenv("MILLPOND_WAREHOUSE_CATALOG", "host=db")
    lake, database, *_ = unsearched(MillpondSettings())
    assert "`millpond compact`" in lake
    assert "Dagster's PostgreSQL" in database
    assert EVENTS in database
