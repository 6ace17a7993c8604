"""Places outside of the home that may hold a record's values and are not searched, each with what to do.

settings, dagster.yaml  ->  unsearched()  ->  lines of the proof
"""

import os
from collections.abc import Iterator
from pathlib import Path

import yaml

from orchestration.configuration.settings import MillpondSettings

EVENTS = (
    "select run_id from event_logs where event ilike '%VALUE%'"
    " union select run_id from runs where run_body ilike '%VALUE%'"
)
LOGS = "logs that the system keeps of `millpond ui` and its commands, such as the journal; let them expire"
_DATABASES = {"postgres": "PostgreSQL", "mysql": "MySQL"}
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
    instance = _instance(dagster / "dagster.yaml")
    if database := _database(instance):
        yield (
            f"Dagster's {database}, with the events and logs of runs; search it for each value, with `{EVENTS}`"
            " (letters beyond ASCII as JSON has them: `_u0142` for ł), and delete those runs with `dagster run delete"
            " RUN`"
        )
    elif not dagster.is_relative_to(home):
        yield f"Dagster's files in {dagster}, outside of the home; search them, and delete those runs"
    if (output := instance.get("compute_logs")) and "noop" not in str(output).lower():
        yield "what steps print, which `compute_logs` of dagster.yaml stores; search it for each value, and delete it"
    yield LOGS
    yield COPIES


def _instance(file: Path) -> dict[str, object]:
    """Return the content of dagster.yaml; nothing if it cannot be read."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def _database(instance: dict[str, object]) -> str:
    """Return the database in which Dagster keeps events, whether as `storage` or each on its own; blank for files."""
    storages = str([instance.get(name) for name in ("storage", "run_storage", "event_log_storage")])
    return next((name for word, name in _DATABASES.items() if word in storages), "")
