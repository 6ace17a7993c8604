"""Past one machine: the same rows, nothing lost by a killed worker, one plan for what the other side allows."""

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

from orchestration.settings import ROOT, MillpondSettings
from orchestration.warehouse_access import warehouse_of
from resources.warehouse.tables import quoted, read_frame
from resources.warehouse.warehouse import Warehouse, WarehouseError
from tests.orchestration.conftest import Home, at_home
from tests.scale.lane import Lane
from tests.scale.services import Services

pytest.importorskip("duckdb_extension_ducklake", reason="`make test-scale` has an environment with DuckLake")

from resources.warehouse.ducklake import CatalogError, LakePlace, PostgresLog, advisory_lock

CUSTOMERS = 40
# when something happened and in which run: no two runs agree on it; `updated_at` is the target's own time stamp
OF_THE_RUN = (
    "run_id", "_run_id", "made_by", "sent_by", "from_run", "to_run", "plan_id", "attempt_id", "first_run", "last_run",
    "undone_run", "updated_at", "confirmed_by", "seconds", "lanes_used", "calls", "calls_left", "seal",
)  # fmt: skip
KEPT_TIMES = ("modified_at", "created_at", "deleted_at")


def rows(warehouse: Warehouse) -> dict[str, pl.DataFrame]:
    """Every table that analysts get, sorted, without what belongs to a run."""
    with duckdb.connect(str(warehouse.snapshot), read_only=True) as con:
        names = [row[0] for row in con.execute("select table_name from duckdb_tables() order by 1").fetchall()]
        return {name: comparable(read_frame(con, f"from {quoted(name)}")) for name in names}


def comparable(table: pl.DataFrame) -> pl.DataFrame:
    """The columns that two runs over the same records agree on, as text and in order."""
    times = [name for name, kind in table.schema.items() if isinstance(kind, pl.Datetime) and name not in KEPT_TIMES]
    left = table.drop(*(name for name in OF_THE_RUN if name in table.columns), *times)
    shown = left.select(pl.struct(pl.all()).struct.json_encode()).to_series().sort()
    return pl.DataFrame({"row": shown})


def held(home: Path) -> dict[str, list[str]]:
    """What the targets hold: every record that is ours, by its key."""
    with at_home(home) as made:
        customers = made.sandbox.suiteprojects.rows("Customer")
        options = made.sandbox.precoro.options()
    return {
        "customers": sorted(str(row["externalid"]) for row in customers if row["externalid"]),
        "options": sorted(str(row["external_id"]) for row in options if row["external_id"]),
    }


@pytest.fixture(scope="module")
def seeded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose NetSuite is filled."""
    from resources.sandbox.generator.seed import seed

    folder = tmp_path_factory.mktemp("seeded") / "home"
    with at_home(folder) as made:
        seed(made.sandbox, customers=CUSTOMERS, seed=3)
    return folder


@pytest.fixture(scope="module")
def one_machine(seeded_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The main job in one process, over one DuckDB file."""
    folder = tmp_path_factory.mktemp("one") / "home"
    copytree(seeded_home, folder)
    with at_home(folder) as home:
        assert home.run("all").success
    return home


@pytest.fixture
def lane(seeded_home: Path, tmp_path: Path, stores: Services) -> Lane:
    """The same records, a lake of its own."""
    copytree(seeded_home, tmp_path / "home")
    return Lane(tmp_path / "home", stores, f"pond_{os.getpid()}_{time.monotonic_ns()}").prepare()


def test_the_main_job_gives_the_same_rows(one_machine: Home, lane: Lane) -> None:
    """Three workers, a lake in an object store, a catalog in PostgreSQL: every table row for row."""
    with lane.workers(3) as keeper:
        lane.run("all")
        shares = [seconds_of(child) for child in children(keeper)]

    expected, found = rows(one_machine.warehouse), rows(lane.warehouse)
    assert found.keys() == expected.keys()
    differing = {
        name: (expected[name].height, found[name].height) for name in expected if not found[name].equals(expected[name])
    }
    assert differing == {}
    assert held(lane.home) == held(one_machine.folder)
    assert len(shares) == 3
    assert min(shares) > 1, "every worker had a part in it"


def test_a_killed_worker_loses_nothing(one_machine: Home, lane: Lane) -> None:
    """Killed while it sends; the run ends, the next one goes on, and nothing is in a target twice."""
    with lane.workers(2) as keeper:
        started = lane.start("all")
        began = lane.sandbox.suiteprojects.write_calls()
        give_up = time.monotonic() + 1500
        while lane.sandbox.suiteprojects.write_calls() == began:
            assert started.poll() is None, (lane.home / "run.log").read_text()[-3000:]
            assert time.monotonic() < give_up
            time.sleep(0.05)
        for child in children(keeper):
            os.kill(child, signal.SIGKILL)
        started.wait(900)
    with lane.workers(2):
        lane.run("all")

    found, expected = held(lane.home), held(one_machine.folder)
    assert all(count == 1 for names in found.values() for count in Counter(names).values())
    assert found == expected
    open_ends = lane.warehouse.read(
        "select count(*) as n from sync_attempts where state = 'intent' and attempt_id not in"
        " (select attempt_id from sync_attempts where state not in ('intent', 'unknown'))"
    )
    assert open_ends["n"][0] == 0
    for name in ("stg_netsuite__customers", "mart_suiteprojects__customers", "mart_precoro__options"):
        assert comparable(lane.warehouse.table(name)).equals(comparable(one_machine.warehouse.table(name)))


def test_accounts_are_delivered_side_by_side(seeded_home: Path, tmp_path: Path, stores: Services) -> None:
    """Two partitions on the same workers at once, each with a lake, a catalog and targets of its own."""
    accounts = ("acme", "globex")
    for account in accounts:
        copytree(seeded_home, tmp_path / "home" / "accounts" / account)
    schema = f"pond_{os.getpid()}_{time.monotonic_ns()}"
    lane = Lane(tmp_path / "home", stores, schema, ",".join(accounts)).prepare()
    homes = [Home(lane.home / "accounts" / account) for account in accounts]
    key = next(int(row["id"]) for row in homes[1].sandbox.netsuite.rows("customer"))
    homes[1].sandbox.netsuite.update("customer", key, companyname="Globex alone")

    with lane.workers(3):
        runs = [lane.start("all", account) for account in accounts]
        assert [run.wait(1800) for run in runs] == [0, 0], (lane.home / "run.log").read_text()[-3000:]

    with pytest.MonkeyPatch.context() as patch:
        for name, value in lane.settings.items():
            patch.setenv(name, value)
        ponds = [warehouse_of(each) for each in MillpondSettings().each]
    acme, globex = (
        dict(warehouse.table("stg_netsuite__customers")["customer_id", "company_name"].rows()) for warehouse in ponds
    )
    assert acme.keys() == globex.keys()
    assert [str(each) for each in acme if acme[each] != globex[each]] == [str(key)]
    assert all("Globex alone" not in str(row) for row in homes[0].sandbox.suiteprojects.rows("Customer"))
    assert held(homes[0].folder) == held(homes[1].folder)
    for warehouse, home in zip(ponds, homes, strict=True):
        assert warehouse.snapshot == home.warehouse.snapshot
        assert warehouse.snapshot.exists()


def seconds_of(process: int) -> float:
    """Seconds of processor time that it has used."""
    used, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(used) + int(system)) / os.sysconf("SC_CLK_TCK")


def children(process: int) -> list[int]:
    """The processes that it started."""
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def test_a_turn_is_the_only_one_and_ends_with_its_holder(stores: Services) -> None:
    """Two machines never write at once; one that dies holds nobody up."""
    code = (
        "import sys, time\nfrom resources.warehouse.ducklake import advisory_lock\n"
        "with advisory_lock(sys.argv[1], 'turn', 5):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, stores.catalog], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"

    with pytest.raises(TimeoutError), advisory_lock(stores.catalog, "turn", 0.2):
        pass
    with pytest.raises(TimeoutError), advisory_lock(stores.catalog, "turn", 0):
        pass
    with advisory_lock(stores.catalog, "another", 0) as check:
        check()
    holder.kill()
    holder.wait()
    with advisory_lock(stores.catalog, "turn", 10) as check:
        check()


def end_locks(catalog: str) -> None:
    """What a PostgreSQL that is started anew does to who holds a lock."""
    import psycopg2

    other = psycopg2.connect(catalog)
    other.autocommit = True
    with other.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()"
        )
    other.close()


def test_a_turn_that_was_lost_commits_nothing(stores: Services, lane: Lane) -> None:
    """Somebody else may be at work meanwhile, so what was done is thrown away."""
    warehouse = lane.warehouse
    warehouse.replace("kept", pl.DataFrame({"a": [1]}))
    with pytest.raises(WarehouseError, match="connection to the catalog broke"), warehouse.writer() as con:  # noqa: PT012 - the section is what is looked at
        con.execute("delete from kept")
        end_locks(stores.catalog)

    assert warehouse.table("kept")["a"].to_list() == [1]
    with pytest.raises(CatalogError), advisory_lock("host=127.0.0.1 port=1 dbname=x", "turn", 1):
        pass


def test_a_catalog_that_was_started_anew_is_connected_to_again(stores: Services, lane: Lane) -> None:
    """Connections that stay open between two sections end with it, and nobody shall notice."""
    import psycopg2

    warehouse = lane.warehouse
    warehouse.replace("kept", pl.DataFrame({"a": [1]}))
    other = psycopg2.connect(stores.catalog)
    other.autocommit = True
    with other.cursor() as cursor:
        cursor.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")
    other.close()

    assert warehouse.table("kept")["a"].to_list() == [1]
    warehouse.replace("kept", pl.DataFrame({"a": [2]}))
    assert warehouse.table("kept")["a"].to_list() == [2]


def test_calls_of_many_machines_are_counted_together(stores: Services) -> None:
    """One company allows so many calls, whoever makes them."""
    from resources.clock import WallClock
    from resources.errors import QuotaExhaustedError
    from resources.rate_limit import CallBudget, Window

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


def test_a_lake_can_be_compacted_and_published(lane: Lane) -> None:
    """Old states and small files go; what is there stays, and analysts get one file as ever."""
    warehouse = lane.warehouse
    assert not warehouse.exists()
    for number in range(5):
        warehouse.replace("one", pl.DataFrame({"run": [number] * 5000, "l": [["x"]] * 5000}))
    warehouse.compact()

    assert warehouse.exists()
    assert warehouse.table("one")["run"].unique().to_list() == [4]
    warehouse.publish()
    assert warehouse.snapshot.exists()
    assert not warehouse.stage.exists()
    assert LakePlace.is_shared
