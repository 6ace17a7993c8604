"""The way back from a damaged file of a home: restore it, or remove it where it can be made again."""

from pathlib import Path

RESTORE = "restore a backup (`millpond restore FILE`)"
_BY_NAME = {
    "millpond.duckdb": f"{RESTORE}; without one, move it away: the next run reads everything again and recognizes the"
    " targets' records by their keys, but history, approvals and undo are lost",
    "notifications.sqlite": "remove it: pending notifications are lost, and the next full run reads what changed",
    "alerts.sqlite": "remove it: open alerts are raised again",
    "precoro_budget.sqlite": "nothing is called until it is repaired, because the calls already made are not known:"
    f" {RESTORE}, or remove it once a day has passed since the last call",
    "switches.json": "correct it, or remove it: every workflow then has the state of its file",
    "users.json": f"{RESTORE}, or remove it and add the users again (`millpond user add`)",
}
_DAGSTER = (
    "stop everything and remove the folder `dagster`: the history of runs and the states of schedules are lost, no"
    " record is; or restore a backup that was made --with-runs"
)


def way_back(file: Path) -> str:
    """Return what to do if a file of a home is damaged."""
    return _BY_NAME.get(file.name, _DAGSTER if file.suffix == ".db" else RESTORE)
