"""Dagster's home beside the warehouse, created from the project's dagster.yaml; UI, daemon and commands share it."""

import os

import dagster as dg
import yaml
from filelock import FileLock

from orchestration.configuration.settings import ROOT, MillpondSettings
from resources.atomic_file import write_atomically

LOCK_TIMEOUT_S = 60.0
EVENT_BATCH = "500"  # events that Dagster knows at once, such as all that a run plans, and that are stored at once


def prepare_home(settings: MillpondSettings) -> None:
    """Set DAGSTER_HOME to `<home>/dagster`, unless the operator has set it."""
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", EVENT_BATCH)
    # webserver, daemon and code server start in other folders, so they need absolute paths
    os.environ["MILLPOND_HOME"] = str(settings.home.absolute())
    if os.environ.get("MILLPOND_WORKFLOWS"):
        os.environ["MILLPOND_WORKFLOWS"] = str(settings.workflows.absolute())
    if os.environ.get("DAGSTER_HOME"):
        return
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    text = (ROOT / "dagster.yaml").read_text(encoding="utf-8")
    if len(settings.account_names) > 1:  # one writer per account's warehouse
        config = yaml.safe_load(text)
        config["concurrency"]["pools"]["default_limit"] = len(settings.account_names)
        text = yaml.safe_dump(config)
    # a process that starts meanwhile, and found half of it, would store events without redaction
    write_atomically(settings.dagster_home / "dagster.yaml", text, durable=False)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)


def open_instance(settings: MillpondSettings) -> dg.DagsterInstance:
    """Open the Dagster instance that the UI shows.

    A lock covers the first opening: two processes that create Dagster's SQLite files at once fail with "table
    alembic_version already exists".
    """
    prepare_home(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.home / "dagster.lock", LOCK_TIMEOUT_S):
        return dg.DagsterInstance.get()
