"""Dagster's home: made from the project's dagster.yaml beside the warehouse, so that UI, daemon and command line agree."""

import os

import dagster as dg
import yaml

from orchestration.settings import ROOT, MillpondSettings
from resources.locks import file_lock

LOCK_TIMEOUT_S = 60.0


def prepare_home(settings: MillpondSettings) -> None:
    """Point DAGSTER_HOME at `<home>/dagster` unless the operator already points it elsewhere."""
    # child processes (webserver, daemon, code server) start elsewhere: hand them an absolute path
    os.environ["MILLPOND_HOME"] = str(settings.home.absolute())
    if os.environ.get("DAGSTER_HOME"):
        return
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    given = (ROOT / "dagster.yaml").read_text(encoding="utf-8")
    if len(settings.names) > 1:  # one writer in each account's warehouse
        config = yaml.safe_load(given)
        config["concurrency"]["pools"]["default_limit"] = len(settings.names)
        given = yaml.safe_dump(config)
    (settings.dagster_home / "dagster.yaml").write_text(given, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)


def open_instance(settings: MillpondSettings) -> dg.DagsterInstance:
    """The Dagster instance that the UI shows.

    Dagster makes its SQLite files when it opens them first, and two processes that do so at once fail on "table
    alembic_version already exists": they take turns here.
    """
    prepare_home(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    with file_lock(settings.home / "dagster.lock", LOCK_TIMEOUT_S):
        return dg.DagsterInstance.get()
