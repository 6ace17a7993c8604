"""One home whose warehouse is a lake and whose steps are done by workers."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from orchestration.account_partitions import tags_of
from orchestration.settings import ROOT
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.ducklake import Lake
from resources.warehouse.resource import open_warehouse
from resources.warehouse.warehouse import Warehouse
from tests.scale.services import Services, process

DEPLOY = ROOT / "orchestration" / "deploy"
RUN = [sys.executable, "-W", "ignore", "-m", "dagster", "job", "execute", "-m", "orchestration.definitions"]


@dataclass(frozen=True)
class Lane:
    """A home, its lake and its workers' settings."""

    home: Path
    stores: Services
    schema: str
    accounts: str = ""

    @property
    def settings(self) -> Mapping[str, str]:
        """The only difference to one machine: these variables, and a dagster.yaml that names PostgreSQL."""
        return {
            "MILLPOND_HOME": str(self.home),
            "MILLPOND_ACCOUNTS": self.accounts,
            "MILLPOND_WAREHOUSE_CATALOG": self.stores.catalog,
            "MILLPOND_WAREHOUSE_DATA": f"s3://warehouse/{self.schema}",
            "MILLPOND_WAREHOUSE_SCHEMA": self.schema,
            "MILLPOND_WAREHOUSE_S3_ENDPOINT": self.stores.endpoint,
            "MILLPOND_WAREHOUSE_S3_KEY": "key",
            "MILLPOND_WAREHOUSE_S3_SECRET": "secret",
            "MILLPOND_EXECUTOR": "celery",
            "MILLPOND_CELERY_BROKER": self.stores.broker,
            "DAGSTER_HOME": str(self.home / "dagster"),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{DEPLOY}",
            "POLARS_MAX_THREADS": "1",
        }

    @property
    def warehouse(self) -> Warehouse:
        """The lake."""
        lake = Lake(
            self.stores.catalog, f"s3://warehouse/{self.schema}", self.schema, self.stores.endpoint, key="k", secret="s"
        )
        return open_warehouse(self.home / "warehouse", lake=lake)

    @property
    def sandbox(self) -> Sandbox:
        """Its three systems."""
        return Sandbox(self.home / "sandbox")

    def prepare(self) -> "Lane":
        """Dagster's home, with its records in PostgreSQL."""
        folder = self.home / "dagster"
        folder.mkdir()
        storage = (
            f"storage: {{postgres: {{postgres_url: 'postgresql+psycopg2://millpond@127.0.0.1:{self.stores.postgres}"
            "/millpond'}}\ntelemetry: {enabled: false}\nconcurrency: {pools: {default_limit: 16, granularity: op}}\n"
        )
        (folder / "dagster.yaml").write_text(storage)
        with dg.DagsterInstance.from_config(str(folder)):
            pass  # its tables are made by one process; two at once trip over each other
        return self

    @contextmanager
    def workers(self, number: int = 3) -> Iterator[int]:
        """So many worker processes; the id of the process that keeps them."""
        command = [sys.executable, "-m", "celery", "-A", "dagster_celery.app", "worker", "--pool", "prefork"]
        command += ["--concurrency", str(number), "-Q", "dagster", "--loglevel", "warning", "--without-mingle"]
        with process(command, self.home / "workers.log", env={**os.environ, **self.settings}, cwd=ROOT) as started:
            yield started.pid

    def start(self, job: str = "all", account: str = "") -> subprocess.Popen[bytes]:
        """Begin a run, of one account where there are several; its steps go to the workers."""
        with (self.home / "run.log").open("ab") as log:
            return subprocess.Popen(
                [*RUN, "-a", "definitions", "-j", job, "--tags", json.dumps(tags_of(account))],
                env={**os.environ, **self.settings},
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def run(self, job: str = "all") -> None:
        """A whole run."""
        assert self.start(job).wait(1800) == 0, (self.home / "run.log").read_text()[-3000:]
