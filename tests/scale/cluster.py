"""One home whose warehouse is a lake, and the Celery workers that execute its steps."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from orchestration.account_partitions import run_tags
from orchestration.configuration.settings import ROOT
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.ducklake import DuckLakeSettings
from resources.warehouse.open import open_warehouse
from resources.warehouse.warehouse import Warehouse
from tests.scale.services import Services, process

DEPLOY = ROOT / "orchestration" / "deploy"
RUN = [sys.executable, "-W", "ignore", "-m", "dagster", "job", "execute", "-m", "orchestration.definitions"]


@dataclass(frozen=True)
class Cluster:
    """A home, its lake, and the settings of its workers."""

    home: Path
    stores: Services
    schema: str
    accounts: str = ""

    @property
    def settings(self) -> Mapping[str, str]:
        """The environment variables; the only other difference to one machine is PostgreSQL in dagster.yaml."""
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
        """The warehouse in the lake."""
        lake = DuckLakeSettings(
            self.stores.catalog, f"s3://warehouse/{self.schema}", self.schema, self.stores.endpoint, key="k", secret="s"
        )
        return open_warehouse(self.home / "warehouse", ducklake=lake)

    @property
    def sandbox(self) -> Sandbox:
        """The three simulated systems."""
        return Sandbox(self.home / "sandbox")

    def prepare(self) -> "Cluster":
        """Create DAGSTER_HOME with its storage in PostgreSQL."""
        folder = self.home / "dagster"
        folder.mkdir()
        storage = (
            f"storage: {{postgres: {{postgres_url: 'postgresql+psycopg2://millpond@127.0.0.1:{self.stores.postgres}"
            "/millpond'}}\ntelemetry: {enabled: false}\nconcurrency: {pools: {default_limit: 16, granularity: op}}\n"
        )
        (folder / "dagster.yaml").write_text(storage)
        with dg.DagsterInstance.from_config(str(folder)):
            pass  # this process creates the tables; two processes at once would conflict
        return self

    @contextmanager
    def workers(self, number: int = 3) -> Iterator[int]:
        """Run this many worker processes; yield the id of their parent process."""
        command = [sys.executable, "-m", "celery", "-A", "dagster_celery.app", "worker", "--pool", "prefork"]
        command += ["--concurrency", str(number), "-Q", "dagster", "--loglevel", "warning", "--without-mingle"]
        with process(command, self.home / "workers.log", env={**os.environ, **self.settings}, cwd=ROOT) as started:
            yield started.pid

    def start(self, job: str = "all", account: str = "") -> subprocess.Popen[bytes]:
        """Start a run, of one account if there are several."""
        with (self.home / "run.log").open("ab") as log:
            return subprocess.Popen(
                [*RUN, "-a", "definitions", "-j", job, "--tags", json.dumps(run_tags(account))],
                env={**os.environ, **self.settings},
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def run(self, job: str = "all") -> None:
        """Execute a run, and require its success."""
        assert self.start(job).wait(1800) == 0, (self.home / "run.log").read_text()[-3000:]
