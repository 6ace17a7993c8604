"""The files of a home that name a workflow: switches, alerts, and the locks of its tables.

home  ->  rename_in_home()  ->  the same files with the new name; repeatable after an interruption
"""

import json
import re
from pathlib import Path

from assets.delivery.spec.switches import FILE as SWITCHES
from orchestration.configuration.settings import MillpondSettings
from orchestration.renaming.references import LAYERS, pattern
from resources.atomic_file import write_atomically
from resources.sqlite_file import SqliteFile

# the alert store's texts: steps are named after assets, alerts after workflows
_ALERTS = {"steps": ("step", "cause_key", "cause", "affected"), "alerts": ("key", "name", "cause", "affected", "lines")}


def rename_in_home(settings: MillpondSettings, old: str, new: str) -> None:
    """Rename a workflow in the files of an account's home."""
    _rename_switches(settings.warehouse / SWITCHES, old, new)
    if settings.alerts.exists():
        _rename_alerts(settings.alerts, old, new)
    for layer in LAYERS:
        (settings.warehouse / f"{layer}_{old}.lock").unlink(missing_ok=True)


def _rename_switches(path: Path, old: str, new: str) -> None:
    try:
        overrides = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return
    if old in overrides:
        renamed = {new if name == old else name: each for name, each in overrides.items()}
        write_atomically(path, json.dumps(renamed, indent=1))


def _rename_alerts(path: Path, old: str, new: str) -> None:
    """Rename in the open alerts: otherwise no later run would end them."""
    name = re.compile(pattern(old))

    def renamed(text: str) -> str:
        return name.sub(rf"\g<1>{new}\g<2>", text)

    file = SqliteFile(path, "")
    try:
        with file.write() as con:
            con.create_function("renamed", 1, renamed, deterministic=True)
            known = {row[0] for row in con.execute("select name from sqlite_master where type = 'table'")}
            for table, columns in _ALERTS.items():
                for column in columns if table in known else ():
                    con.execute(f"update {table} set {column} = renamed({column}) where {column} is not null")
    finally:
        file.close()
