"""A home of version 0.1, unpacked and upgraded once for all tests; each test gets a copy."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from assets.delivery.spec.yaml_file import YamlFile
from orchestration.cli.main import app
from orchestration.upgrade.perform import upgrade_all
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests import archives

ARCHIVE = Path(__file__).parent / "home_0_1.tar.xz"
KEY = "bWlsbHBvbmQtdXBncmFkZS1maXh0dXJlLTAuMS1rZXk="
LEDGER = ("sync_runs", "sync_plans", "sync_links", "sync_holds", "sync_decisions", "netsuite_probes")
SETTINGS = {
    "MILLPOND_MODE": "sandbox",
    "MILLPOND_ENCRYPTION_KEY": KEY,
    "MILLPOND_WEBHOOK_SECRETS": "millpond-fixture-webhook-secret-of-0-1-0123456789",
    "MILLPOND_ALERT_RECORD_LIMIT": "2",
    "MILLPOND_REALTIME_LINGER_S": "0",
    "MILLPOND_REALTIME_WAIT_S": "0",
}


@dataclass(frozen=True)
class Installation:
    """One home with its workflow files.

    Attributes:
        folder: The folder of both.
        lines: What its upgrade reported.
    """

    folder: Path
    lines: tuple[str, ...] = ()

    @property
    def home(self) -> Path:
        """The home."""
        return self.folder / "home_0_1"

    @property
    def workflows(self) -> Path:
        """The folder of the workflow files."""
        return self.folder / "workflows_0_1"

    @property
    def copies(self) -> Path:
        """The copies that the upgrade kept."""
        return self.home / "before-0.2.0"

    @property
    def warehouse(self) -> Warehouse:
        """The upgraded warehouse."""
        return Warehouse(self.home / "warehouse", KEY)

    @property
    def writes(self) -> tuple[int, int]:
        """Write calls that SuiteProjects Pro and Precoro ever got."""
        sandbox = Sandbox(self.home / "sandbox")
        return sandbox.suiteprojects.write_calls(), sandbox.precoro.write_calls()

    def copy(self, folder: Path) -> "Installation":
        """Return a copy in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        place_key_file(folder / "home_0_1")
        return Installation(folder, self.lines)


def place_key_file(home: Path) -> None:
    """Write the path of the private key, which the sandbox's credentials name."""
    file = home / "sandbox" / "credentials.json"
    credentials = json.loads(file.read_text())
    credentials["netsuite"]["private_key_file"] = str(home / "sandbox" / "netsuite_private_key.pem")
    file.write_text(json.dumps(credentials, indent=1))


def unpack(folder: Path) -> Installation:
    """Unpack the archive."""
    archives.unpack(ARCHIVE, folder)
    place_key_file(folder / "home_0_1")
    return Installation(folder)


@contextmanager
def in_use(installation: Installation) -> Iterator[Installation]:
    """Point the settings of this process at an installation within the block."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        patch.setenv("MILLPOND_HOME", str(installation.home))
        patch.setenv("MILLPOND_WORKFLOWS", str(installation.workflows))
        for name in ("MILLPOND_ACCOUNTS", "MILLPOND_ACCOUNT", "DAGSTER_HOME"):
            patch.delenv(name, raising=False)
        patch.chdir(installation.folder)  # no .env of the project
        yield installation


def attributes_of(file: Path) -> dict[str, Any]:
    """The attributes of a workflow file, whatever their names."""
    found: dict[str, Any] = YamlFile.read(file).content["attributes"]
    return found


def answer_of(tokens: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and output of a command, in this process."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_:
        app(tokens)
    return int(exit_.value.code or 0), capsys.readouterr().out


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The archive, unpacked; not to be changed."""
    return unpack(tmp_path_factory.mktemp("old"))


@pytest.fixture(scope="session")
def answers(unpacked: Installation) -> dict[str, Any]:
    """Answers of version 0.1 about the home."""
    found: dict[str, Any] = json.loads((unpacked.folder / "answers_0_1.json").read_text())
    return found


@pytest.fixture(scope="session")
def upgraded_once(unpacked: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The home after its upgrade; not to be changed."""
    made = unpacked.copy(tmp_path_factory.mktemp("upgraded") / "once")
    lines: list[str] = []
    with in_use(made):
        upgrade_all(lines.append)
    return Installation(made.folder, tuple(lines))


@pytest.fixture(scope="session")
def small(unpacked: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The home of 0.1 with some of its tables: an upgrade of it takes a fraction of a second; not to be changed."""
    made = unpacked.copy(tmp_path_factory.mktemp("small") / "home")
    stage = made.home / "pond" / "stage.duckdb"
    whole = stage.rename(stage.with_name("whole.duckdb"))
    with duckdb.connect() as con:
        con.execute(f"attach '{whole}' as whole (read_only)")
        con.execute(f"attach '{stage}' as stage (storage_version 'v1.5.0')")
        for table in (*LEDGER, *(f"{layer}_precoro__services" for layer in ("plan", "twin", "mart", "sync"))):
            con.execute(f"create table stage.{table} as from whole.{table}")
    whole.unlink()
    return made


@pytest.fixture
def old(small: Installation, tmp_path: Path) -> Iterator[Installation]:
    """A copy of the small home of 0.1, in use."""
    with in_use(small.copy(tmp_path / "old")) as made:
        yield made


@pytest.fixture
def upgraded(upgraded_once: Installation, tmp_path: Path) -> Iterator[Installation]:
    """A copy of the upgraded home, in use."""
    with in_use(upgraded_once.copy(tmp_path / "upgraded")) as made:
        yield made


@pytest.fixture(scope="session")
def both(unpacked: Installation, upgraded_once: Installation, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A connection to both warehouses: `before` and `after`."""
    folder = tmp_path_factory.mktemp("both")
    shutil.copy(unpacked.home / "pond" / "stage.duckdb", folder / "before.duckdb")
    shutil.copy(upgraded_once.home / "warehouse" / "millpond.duckdb", folder / "after.duckdb")
    with duckdb.connect() as con:
        for name in ("before", "after"):
            con.execute(f"attach '{folder / name}.duckdb' as {name} (read_only)")
        con.execute("set TimeZone = 'UTC'")
        yield con
