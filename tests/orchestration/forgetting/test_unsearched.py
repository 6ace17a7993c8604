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


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (
            "event_log_storage: {module: dagster_postgres.event_log, class: PostgresEventLogStorage}",
            "Dagster's PostgreSQL",
        ),
        ("run_storage: {module: dagster_mysql.run_storage, class: MySQLRunStorage}", "MySQL"),
        ("compute_logs: {module: dagster_aws.s3.compute_log_manager, class: S3ComputeLogManager}", "`compute_logs`"),
        ("compute_logs: {module: dagster._core.storage.noop_compute_log_manager, class: NoOpComputeLogManager}", ""),
        ("storage: [", ""),
    ],
)
def test_each_place_of_an_instance_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, named: str
) -> None:
    """A chart gives each storage on its own, and what steps print may be in a bucket."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    file = MillpondSettings().dagster_home / "dagster.yaml"
    file.parent.mkdir()
    file.write_text(content)
    found = [*unsearched(MillpondSettings())]
    assert len(found) == (3 if named else 2)
    assert named in found[0]
