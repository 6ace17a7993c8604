"""The night's own jobs: reconciling tells the truth and sends nothing, tidying removes what nobody will ask for."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree

import dagster as dg
import polars as pl
import pytest

from assets.delivery.ledger import ledger
from orchestration.alerts.run_failures import check_problems
from orchestration.definitions import definitions, load_workflows
from orchestration.maintenance.retention import clear_plans, remove_files, remove_runs
from orchestration.operator_jobs.reconcile import check_key
from orchestration.settings import MillpondSettings
from resources.warehouse.warehouse import Warehouse
from tests.orchestration.conftest import QUIET, Home, at_home

CUSTOMERS, OPTIONS = "suiteprojects__customers", "precoro__options"


@dataclass
class Night:
    """A night over a home in which somebody edited a record by hand and the ledger lies about another."""

    home: Home
    instance: dg.DagsterInstance
    result: dg.ExecuteInProcessResult
    writes: tuple[int, int]

    def check(self, workflow: str) -> dg.AssetCheckEvaluation:
        """The check of one sink."""
        (found,) = [
            each for each in self.result.get_asset_check_evaluations()
            if each.check_name == "reconciled" and each.asset_key.to_user_string() == f"sync_{workflow}"
        ]  # fmt: skip
        return found


def writes(home: Home) -> tuple[int, int]:
    """Write calls of both targets."""
    return home.sandbox.suiteprojects.write_calls(), home.sandbox.precoro.write_calls()


@pytest.fixture(scope="module")
def night(settled_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """One night; the fixtures' run before it went well."""
    folder = tmp_path_factory.mktemp("night") / "home"
    copytree(settled_home, folder)
    with at_home(folder) as home, dg.DagsterInstance.ephemeral() as instance:
        home.sandbox.clock.sleep(3600)
        links = home.warehouse.read(f"select source_id, target_id from sync_links where workflow = '{CUSTOMERS}'")
        home.sandbox.suiteprojects.modify("Customer", int(links["target_id"][0]), company="Edited by hand")
        options = home.warehouse.read(f"select source_id, target_id from sync_links where workflow = '{OPTIONS}'")
        with home.warehouse.writer() as con:
            con.execute(
                "update sync_links set payload_hash = 'never sent' where workflow = ? and source_id = ?",
                [OPTIONS, options["source_id"][0]],
            )
        home.sandbox.precoro.edit_option(int(options["target_id"][0]), name="Never sent")
        before = writes(home)
        job = definitions().resolve_job_def("reconcile")
        result = job.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET)
        yield Night(home, instance, result, before)


@pytest.mark.long
def test_the_night_reads_everything_and_sends_nothing(night: Night) -> None:
    """All of NetSuite's ids, though the warehouse compared them less than a day ago; every target, completely."""
    made = [
        each.step_materialization_data.materialization
        for each in night.result.all_events
        if each.is_step_materialization
    ]
    metadata = {each.asset_key.to_user_string(): each.metadata for each in made}

    assert night.result.success
    assert metadata["raw_netsuite__customers"]["reconciled"].value is True
    assert {f"target_{CUSTOMERS}", f"target_{OPTIONS}", f"mart_{OPTIONS}"} <= set(metadata)
    assert not [name for name in metadata if name.startswith(("plan_", "sync_"))]
    assert writes(night.home) == night.writes


@pytest.mark.long
def test_what_is_identical_is_told_with_the_moment(night: Night) -> None:
    """The check an operator points at."""
    check = night.check("suiteprojects__customer_department")

    assert check.passed
    assert check.description is not None
    assert check.description.startswith("identical up to 20")
    assert check.description.endswith("0 explained, 0 unexplained differences")
    assert check.metadata["records"].value == check.metadata["identical"].value


@pytest.mark.long
def test_drift_is_explained_and_a_lie_of_the_ledger_is_not(night: Night) -> None:
    """Both differ; only one of them is somebody's doing."""
    drifted, lied = night.check(CUSTOMERS), night.check(OPTIONS)

    assert drifted.passed
    assert "edited_in_target" in str(drifted.metadata["drift"].value)
    assert not lied.passed
    assert "1 unexplained differences" in (lied.description or "")
    assert "| unexplained: name | 1 |" in str(lied.metadata["drift"].value)


@pytest.mark.long
def test_alerts_see_the_check_that_failed(night: Night) -> None:
    """Until a night in which it holds again."""
    workflows, _ = load_workflows(MillpondSettings().workflows)
    found = check_problems(night.instance, [check_key(each) for each in workflows if each.spec.active])

    assert [(each.kind.value, each.affected) for each in found] == [("unreconciled", (OPTIONS,))]


@pytest.mark.usefixtures("home")
def test_the_nightly_job_has_every_reader_every_check_and_no_sender() -> None:
    """What it cannot do it does not do by mistake; no other job makes its checks."""
    made = definitions()
    jobs = {job.name: job.asset_layer for job in made.resolve_all_job_defs() if not job.name.startswith("__")}
    nightly = jobs["reconcile"]
    names = {key.to_user_string() for key in nightly.executable_asset_keys}
    workflows, _ = load_workflows(MillpondSettings().workflows)
    active = [each for each in workflows if each.spec.active]

    assert {each.target_state for each in active} | {each.mart for each in active} | {
        "raw_netsuite__customers"
    } <= names
    assert not [name for name in names if name.startswith(("plan_", "sync_"))]
    checks = {check_key(each) for each in active}
    assert checks <= set(nightly.asset_graph.asset_check_keys)
    for name, layer in jobs.items():
        assert name == "reconcile" or not checks & set(layer.asset_graph.asset_check_keys), name


def test_the_nightly_job_compares_all_ids_whenever_that_was_done_last(seeded: Home) -> None:
    """An ordinary run does so once a day; a night that leaves it out would prove nothing."""
    contacts = dg.AssetKey("raw_netsuite__contacts")
    compared = []
    for name in ("all", "all", "reconcile"):
        job = definitions().resolve_job_def(name)
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(instance=instance, run_config=QUIET, asset_selection=[contacts])
        (made,) = [
            each.step_materialization_data.materialization for each in result.all_events if each.is_step_materialization
        ]
        compared.append(made.metadata["reconciled"].value)

    assert seeded.warehouse.has("raw_netsuite__contacts")
    assert compared == [True, False, True]


def old(instance: dg.DagsterInstance) -> str:
    """A run that ended."""

    @dg.asset
    def made() -> None:
        """Nothing."""

    return dg.materialize([made], instance=instance, run_config=QUIET).run_id


def test_old_runs_go_with_their_files_and_what_assets_are_stays_known(tmp_path: Path) -> None:
    """Dagster removes no run by itself, and leaves the files of those that it is told to remove."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run_id = old(instance)
        kept = list((tmp_path / "history" / "runs").glob(f"{run_id}*"))
        young = remove_runs(instance, datetime.now(UTC) - timedelta(days=1))
        removed = remove_runs(instance, datetime.now(UTC) + timedelta(minutes=1))

        assert kept
        assert (young, removed) == (0, 1)
        assert instance.get_run_by_id(run_id) is None
        assert [path for path in tmp_path.rglob(f"*{run_id}*") if path.exists()] == []
        assert instance.get_latest_materialization_event(dg.AssetKey("made")) is not None


def planned(warehouse: Warehouse, now: datetime) -> None:
    """Plans of one workflow: one expired, one sent, the newest sent as well, all long ago; and one that waits."""
    changes = [{"field": "name", "before": "Anna", "after": "Berta"}]
    rows = pl.DataFrame(
        {
            "plan_id": ["expired", "sent", "newest", "waiting"],
            "payload": ['{"name": "Berta"}'] * 4,
            "changes": [changes] * 4,
        }
    )
    warehouse.replace("plan_flow", rows)
    states = {"expired": "waiting", "sent": "sent", "newest": "sent", "waiting": "waiting"}
    table = pl.DataFrame(
        [
            ("flow", name, "sync", now - timedelta(days=20 - number), state, now - timedelta(days=9),
             now + timedelta(hours=1 if name == "waiting" else -1))
            for number, (name, state) in enumerate(states.items())
        ],
        schema=["workflow", "plan_id", "kind", "made_at", "state", "state_at", "expires_at"], orient="row",
    )  # fmt: skip
    warehouse.replace(
        "sync_plans", table.with_columns(made_at=pl.when(plan_id="newest").then(now).otherwise("made_at"))
    )


def test_plans_that_cannot_be_sent_lose_their_values(warehouse: Warehouse) -> None:
    """Sealed or not, a payload is somebody's data; what waits stays whole, the newest keeps its decisions."""
    now = datetime(2026, 11, 22, 4, 30)  # noqa: DTZ001 - as the warehouse keeps it
    planned(warehouse, now)

    first = clear_plans(warehouse, now, timedelta(days=7))
    later = clear_plans(warehouse, now + timedelta(days=8), timedelta(days=7))
    rows = {row["plan_id"]: row for row in warehouse.table("plan_flow").to_dicts()}

    assert first == {"expired": 1, "removed": 1, "bared": 1}
    assert later == {"expired": 1, "removed": 1, "bared": 0}
    assert set(rows) == {"newest", "waiting"}
    assert rows["newest"]["payload"] is None
    assert rows["newest"]["changes"] == [{"field": "name", "before": None, "after": None}]
    assert rows["waiting"]["payload"] is not None


def test_the_job_tidies_all_of_it(home: Home) -> None:
    """Over a warehouse that has something, and over none at all: a first night is no failure."""
    empty = home.run("tidy")
    with home.warehouse.writer() as con:
        ledger.ensure_ledger(con)
        con.execute("insert into sync_plans (plan_id, state, expires_at) values ('old', 'waiting', '2026-01-01')")
    done = home.run("tidy")
    told = {
        event.step_key: {name: value.value for name, value in event.event_specific_data.metadata.items()}
        for event in done.all_events if event.event_type is dg.DagsterEventType.STEP_OUTPUT
    }  # fmt: skip

    assert empty.success
    assert done.success
    assert told["old_plans"] == {"expired": 1, "removed": 0, "bared": 0}
    assert told["old_history"]["bytes_after"] > 0


def test_old_reports_and_leftovers_go(warehouse: Warehouse) -> None:
    """What a killed reading left on the disk; what is being written now stays."""
    now = datetime.now(UTC)
    names = ["reports/old.html", "reports/new.html", "scratch/netsuite_old/rows", "scratch/netsuite_new/rows"]
    for name in names:
        path = warehouse.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    past = time.time() - 100 * 86_400
    for name in ("reports/old.html", "scratch/netsuite_old"):
        os.utime(warehouse.folder / name, (past, past))

    removed = remove_files(warehouse, now, timedelta(days=90))

    assert removed == {"reports": 1, "leftovers": 1}
    left = {str(path.relative_to(warehouse.folder)) for path in warehouse.folder.rglob("*") if path.is_file()}
    assert left == {"reports/new.html", "scratch/netsuite_new/rows"}
