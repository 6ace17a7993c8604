"""Several machines: the same rows as on one, nothing lost with a killed worker, one shared call limit."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copytree

import duckdb
import polars as pl
import pytest

from orchestration.configuration.settings import ROOT, MillpondSettings
from orchestration.opened_warehouse import warehouse_of
from resources.clock import WallClock
from resources.errors import QuotaExhaustedError
from resources.rate_limit import CallBudget, Window
from resources.sandbox.generator.seed import seed
from resources.warehouse.tables import quoted, read_frame
from resources.warehouse.warehouse import Warehouse, WarehouseError
from tests.orchestration.conftest import Home, at_home
from tests.scale.cluster import Cluster
from tests.scale.services import Services

pytest.importorskip("duckdb_extension_ducklake", reason="`make test-scale` has an environment with DuckLake")

from resources.postgres import CatalogError, PostgresLog, advisory_lock
from resources.warehouse.ducklake import DuckLake

CUSTOMERS = 40
# these differ between any two runs; `updated_at` is the target's own timestamp
RUN_COLUMNS = (
    "run_id", "_run_id", "made_by", "sent_by", "from_run", "to_run", "plan_id", "attempt_id", "first_run", "last_run",
    "undone_run", "updated_at", "confirmed_by", "seconds", "slot_utilization", "calls", "calls_left", "checksum",
    "version_run", "version_attempt", "certificate_id", "evidence", "clock_origin", "clock_s",
    # the order in which parallel steps came
    "position", "from_position", "to_position", "read_position", "began_position", "reading", "_reading", "sources",
)  # fmt: skip
OF_THE_RUN = ("sync_chain", "sync_checkpoints")  # hashes over all of these
NETSUITE_TIMES = ("modified_at", "created_at", "deleted_at")


def rows(warehouse: Warehouse) -> dict[str, pl.DataFrame]:
    """Return every table of the snapshot, sorted, without the columns of the run."""
    with duckdb.connect(str(warehouse.snapshot), read_only=True) as con:
        names = [name for (name,) in con.execute("select table_name from duckdb_tables() order by 1").fetchall()]
        return {name: comparable(read_frame(con, f"from {quoted(name)}")) for name in names if name not in OF_THE_RUN}


def comparable(table: pl.DataFrame) -> pl.DataFrame:
    """Return the rows as sorted text, without the columns that differ between two runs of the same records."""
    times = [
        name for name, kind in table.schema.items() if isinstance(kind, pl.Datetime) and name not in NETSUITE_TIMES
    ]
    compared = table.drop(*(name for name in RUN_COLUMNS if name in table.columns), *times)
    texts = compared.select(pl.struct(pl.all()).struct.json_encode()).to_series().sort()
    return pl.DataFrame({"row": texts})


def target_keys(home: Path) -> dict[str, list[str]]:
    """Return the external ids of our records in both targets."""
    with at_home(home) as made:
        customers = made.sandbox.suiteprojects.rows("Customer")
        options = made.sandbox.precoro.options()
    return {
        "customers": sorted(str(row["externalid"]) for row in customers if row["externalid"]),
        "options": sorted(str(row["external_id"]) for row in options if row["external_id"]),
    }


@pytest.fixture(scope="module")
def seeded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with records in NetSuite."""
    folder = tmp_path_factory.mktemp("seeded") / "home"
    with at_home(folder) as made:
        seed(made.sandbox, customers=CUSTOMERS, seed=3)
    return folder


@pytest.fixture(scope="module")
def one_machine(seeded_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home after the main job in one process, over one DuckDB file."""
    folder = tmp_path_factory.mktemp("one") / "home"
    copytree(seeded_home, folder)
    with at_home(folder) as home:
        assert home.run("all").success
    return home


@pytest.fixture
def cluster(seeded_home: Path, tmp_path: Path, stores: Services) -> Cluster:
    """A cluster with the same records and its own lake."""
    copytree(seeded_home, tmp_path / "home")
    return Cluster(tmp_path / "home", stores, f"warehouse_{os.getpid()}_{time.monotonic_ns()}").prepare()


def test_the_main_job_makes_the_same_rows(one_machine: Home, cluster: Cluster) -> None:
    """Three workers with a lake in an object store make the same tables, row for row."""
    with cluster.workers(3) as parent:
        cluster.run("all")
        used = [seconds_of(child) for child in children(parent)]

    expected, found = rows(one_machine.warehouse), rows(cluster.warehouse)
    assert found.keys() == expected.keys()
    differing = {
        name: (expected[name].height, found[name].height) for name in expected if not found[name].equals(expected[name])
    }
    assert differing == {}
    assert target_keys(cluster.home) == target_keys(one_machine.folder)
    assert len(used) == 3
    assert min(used) > 1, "every worker executed steps"


def test_a_killed_worker_loses_nothing(one_machine: Home, cluster: Cluster) -> None:
    """A worker is killed while it sends; the run ends, the next one resumes, and no target has a duplicate."""
    with cluster.workers(2) as parent:
        started = cluster.start("all")
        before = cluster.sandbox.suiteprojects.write_calls()
        deadline = time.monotonic() + 1500
        while cluster.sandbox.suiteprojects.write_calls() == before:
            assert started.poll() is None, (cluster.home / "run.log").read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for child in children(parent):
            os.kill(child, signal.SIGKILL)
        started.wait(900)
    with cluster.workers(2):
        cluster.run("all")

    found, expected = target_keys(cluster.home), target_keys(one_machine.folder)
    assert all(count == 1 for names in found.values() for count in Counter(names).values())
    assert found == expected
    unresolved = cluster.warehouse.read(
        "select count(*) as n from sync_attempts where state = 'intent' and attempt_id not in"
        " (select attempt_id from sync_attempts where state not in ('intent', 'unknown'))"
    )
    assert unresolved["n"][0] == 0
    for name in ("stg_netsuite__customers", "mart_suiteprojects__customers", "mart_precoro__options"):
        assert comparable(cluster.warehouse.table(name)).equals(comparable(one_machine.warehouse.table(name)))


def test_accounts_are_delivered_in_parallel(seeded_home: Path, tmp_path: Path, stores: Services) -> None:
    """Two partitions use the same workers at once, each with its own lake, catalog and targets."""
    accounts = ("acme", "globex")
    for account in accounts:
        copytree(seeded_home, tmp_path / "home" / "accounts" / account)
    schema = f"warehouse_{os.getpid()}_{time.monotonic_ns()}"
    cluster = Cluster(tmp_path / "home", stores, schema, ",".join(accounts)).prepare()
    homes = [Home(cluster.home / "accounts" / account) for account in accounts]
    key = next(int(row["id"]) for row in homes[1].sandbox.netsuite.rows("customer"))
    homes[1].sandbox.netsuite.update("customer", key, companyname="Only in Globex")

    with cluster.workers(3):
        runs = [cluster.start("all", account) for account in accounts]
        assert [run.wait(1800) for run in runs] == [0, 0], (cluster.home / "run.log").read_text()[-3000:]

    with pytest.MonkeyPatch.context() as patch:
        for name, value in cluster.settings.items():
            patch.setenv(name, value)
        warehouses = [warehouse_of(each) for each in MillpondSettings().per_account]
    acme, globex = (
        dict(warehouse.table("stg_netsuite__customers")["customer_id", "company_name"].rows())
        for warehouse in warehouses
    )
    assert acme.keys() == globex.keys()
    assert [str(each) for each in acme if acme[each] != globex[each]] == [str(key)]
    assert all("Only in Globex" not in str(row) for row in homes[0].sandbox.suiteprojects.rows("Customer"))
    assert target_keys(homes[0].folder) == target_keys(homes[1].folder)
    for warehouse, home in zip(warehouses, homes, strict=True):
        assert warehouse.snapshot == home.warehouse.snapshot
        assert warehouse.snapshot.exists()


def seconds_of(process: int) -> float:
    """Return the processor time of a process in seconds."""
    used, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(used) + int(system)) / os.sysconf("SC_CLK_TCK")


def children(process: int) -> list[int]:
    """Return the ids of a process's children."""
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def test_an_advisory_lock_is_exclusive_and_ends_with_its_process(stores: Services) -> None:
    """Two machines never write at once, and a dead one blocks no other."""
    code = (
        "import sys, time\nfrom resources.postgres import advisory_lock\n"
        "with advisory_lock(sys.argv[1], 'write', 5):\n    print('locked', flush=True)\n    time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, stores.catalog], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert holder.stdout
    assert holder.stdout.readline() == "locked\n"

    with pytest.raises(TimeoutError), advisory_lock(stores.catalog, "write", 0.2):
        pass
    with pytest.raises(TimeoutError), advisory_lock(stores.catalog, "write", 0):
        pass
    with advisory_lock(stores.catalog, "another", 0) as check:
        check()
    holder.kill()
    holder.wait()
    with advisory_lock(stores.catalog, "write", 10) as check:
        check()


def end_locks(catalog: str) -> None:
    """End the sessions that hold locks, as a restart of PostgreSQL does."""
    import psycopg2

    other = psycopg2.connect(catalog)
    other.autocommit = True
    with other.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()"
        )
    other.close()


def test_a_lost_lock_rolls_back(stores: Services, cluster: Cluster) -> None:
    """Another process may write in the meantime, so nothing is committed."""
    warehouse = cluster.warehouse
    warehouse.replace("kept", pl.DataFrame({"a": [1]}))
    with pytest.raises(WarehouseError, match="connection to the catalog broke"), warehouse.writer() as con:  # noqa: PT012 - the section is under test
        con.execute("delete from kept")
        end_locks(stores.catalog)

    assert warehouse.table("kept")["a"].to_list() == [1]
    with pytest.raises(CatalogError), advisory_lock("host=127.0.0.1 port=1 dbname=x", "write", 1):
        pass


def test_a_restarted_catalog_is_reconnected(stores: Services, cluster: Cluster) -> None:
    """Connections that stay open between two sections are replaced without an error."""
    import psycopg2

    warehouse = cluster.warehouse
    warehouse.replace("kept", pl.DataFrame({"a": [1]}))
    other = psycopg2.connect(stores.catalog)
    other.autocommit = True
    with other.cursor() as cursor:
        cursor.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")
    other.close()

    assert warehouse.table("kept")["a"].to_list() == [1]
    warehouse.replace("kept", pl.DataFrame({"a": [2]}))
    assert warehouse.table("kept")["a"].to_list() == [2]


def test_machines_share_one_call_limit(stores: Services) -> None:
    """A company's limit applies to the calls of all machines."""
    PostgresLog(stores.catalog)
    account = f"company {time.monotonic_ns()}"

    def calls(_: int) -> int:
        budget = CallBudget(PostgresLog(stores.catalog), [Window("hour", 50, 3600.0)], WallClock(), patience_s=1.0)
        made = 0
        try:
            while True:
                budget.acquire(account)
                made += 1
        except QuotaExhaustedError:
            return made

    with ThreadPoolExecutor(4) as machines:
        assert sum(machines.map(calls, range(4))) == 50


def test_a_lake_can_be_compacted_and_published(cluster: Cluster) -> None:
    """Old versions and small files are deleted; the rows remain, and the snapshot is one file."""
    warehouse = cluster.warehouse
    assert not warehouse.exists()
    for number in range(5):
        warehouse.replace("one", pl.DataFrame({"run": [number] * 5000, "l": [["x"]] * 5000}))
    warehouse.compact()

    assert warehouse.exists()
    assert warehouse.table("one")["run"].unique().to_list() == [4]
    warehouse.publish()
    assert warehouse.snapshot.exists()
    assert not warehouse.file.exists()
    assert DuckLake.is_shared
