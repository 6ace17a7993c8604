"""Places outside of the home that may hold a record's values and are not searched, each with what to do.

settings, dagster.yaml  ->  unsearched()  ->  lines of the proof
"""

import os
from collections.abc import Iterator
from pathlib import Path

import yaml

from orchestration.configuration.settings import MillpondSettings

EVENTS = "select id, run_id from event_logs where event ilike '%VALUE%'"
LOGS = "logs that the system keeps of `millpond ui` and its commands, such as the journal; let them expire"
COPIES = "backups, exports and printed plans outside of the home; delete those from before"


def unsearched(settings: MillpondSettings) -> Iterator[str]:
    """Yield what is not searched, with the command to use."""
    home = settings.home.resolve()
    dagster = Path(os.environ.get("DAGSTER_HOME") or settings.dagster_home).resolve()
    if settings.warehouse_catalog:
        yield (
            "earlier snapshots of the DuckLake and their files, which readers may still use; `millpond compact` on"
            " each of the next two days deletes them"
        )
    if database := _database(dagster / "dagster.yaml"):
        yield (
            f"Dagster's {database}, with the events and logs of runs; search it for each value, with `{EVENTS}`, and"
            " delete those runs with `dagster run delete RUN`"
        )
    elif not dagster.is_relative_to(home):
        yield f"Dagster's files in {dagster}, outside of the home; search them, and delete those runs"
    yield LOGS
    yield COPIES


def _database(file: Path) -> str:
    """Return the database in which Dagster keeps runs; blank for files."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError):
        return ""
    storage = content.get("storage", {}) if isinstance(content, dict) else {}
    name = next(iter(storage), "") if isinstance(storage, dict) else ""
    return {"postgres": "PostgreSQL", "mysql": "MySQL"}.get(name, "")
