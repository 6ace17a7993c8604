"""The nightly reconciliation reports every difference and sends nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

import dagster as dg
import pytest

from orchestration.alerts.run_failures import check_alerts
from orchestration.cli.job_run import _compared, _differences
from orchestration.configuration.settings import MillpondSettings
from orchestration.definitions import definitions
from orchestration.operator_jobs.reconcile import check_key
from orchestration.workflow_files import load_workflows
from tests.orchestration.conftest import QUIET, Home, at_home

CUSTOMERS, OPTIONS = "suiteprojects__customers", "precoro__options"


@dataclass
class Night:
    """A night in which a target record was edited, and the ledger is wrong about another one."""

    home: Home
    instance: dg.DagsterInstance
    result: dg.ExecuteInProcessResult
    writes: tuple[int, int]

    def check(self, workflow: str) -> dg.AssetCheckEvaluation:
        """Return the result of a workflow's check."""
        (found,) = [
            each for each in self.result.get_asset_check_evaluations()
            if each.check_name == "reconciled" and each.asset_key.to_user_string() == f"sync_{workflow}"
        ]  # fmt: skip
        return found


def writes(home: Home) -> tuple[int, int]:
    """Return the number of write calls that each target received."""
    return home.sandbox.suiteprojects.write_calls(), home.sandbox.precoro.write_calls()


@pytest.fixture(scope="module")
def night(synced_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """One night after a successful run."""
    folder = tmp_path_factory.mktemp("night") / "home"
    copytree(synced_home, folder)
    with at_home(folder) as home, dg.DagsterInstance.ephemeral() as instance:
        home.sandbox.clock.sleep(3600)
        links = home.warehouse.read(f"select source_id, target_id from sync_links where workflow = '{CUSTOMERS}'")
        home.sandbox.suiteprojects.modify("Customer", int(links["target_id"][0]), company="Edited manually")
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
def test_the_command_prints_what_each_check_found(night: Night) -> None:
    """A finding as well as what is as it should be: otherwise whoever runs it sees counts of calls only."""
    printed = [*_compared(night.result), *_differences(night.result)]

    for name in (CUSTOMERS, OPTIONS):
        (line,) = [each for each in printed if each.startswith(f"sync_{name}: check reconciled: ")]
        assert line.endswith(night.check(name).description or "nothing")
    assert [each for each in _differences(night.result) if each.startswith(f"sync_{OPTIONS}: ")]
    assert [each for each in _compared(night.result) if each.startswith(f"sync_{CUSTOMERS}: ")]


@pytest.mark.long
def test_reconciliation_reads_everything_and_sends_nothing(night: Night) -> None:
    """All of NetSuite's ids, although they were compared less than a day ago, and every target in full."""
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
def test_an_identical_target_is_reported_with_its_time(night: Night) -> None:
    """The description of the passed check."""
    check = night.check("suiteprojects__customer_department")

    assert check.passed
    assert check.description is not None
    assert check.description.startswith("identical, by values read through 20")
    assert "0 explained, 0 unexplained differences" in check.description
    assert check.metadata["records"].value == check.metadata["equal"].value
    assert (check.metadata["rows_not_verified"].value, check.metadata["columns_not_verified"].value) == (0, 0)
    assert isinstance(check.metadata["verified_through"], dg.TimestampMetadataValue)


@pytest.mark.long
def test_a_manual_edit_is_explained_and_a_wrong_ledger_is_not(night: Night) -> None:
    """Both records differ; only one difference has a cause."""
    edited, wrong = night.check(CUSTOMERS), night.check(OPTIONS)

    assert edited.passed
    assert "edited_in_target" in str(edited.metadata["drift"].value)
    assert not wrong.passed
    assert "1 unexplained differences" in (wrong.description or "")
    assert "| unexplained: name | 1 |" in str(wrong.metadata["drift"].value)


@pytest.mark.long
def test_a_failed_check_raises_an_alert(night: Night) -> None:
    """Until it passes again."""
    workflows, _ = load_workflows(MillpondSettings().workflows)
    found = check_alerts(night.instance, [check_key(each) for each in workflows if each.spec.active])

    assert [(each.kind.value, each.affected) for each in found] == [("unreconciled", (OPTIONS,))]


@pytest.mark.usefixtures("home")
def test_the_reconcile_job_has_every_reader_every_check_and_no_sync_asset() -> None:
    """It cannot send anything by mistake; no other job runs its checks."""
    made = definitions()
    jobs = {job.name: job.asset_layer for job in made.resolve_all_job_defs() if not job.name.startswith("__")}
    reconcile = jobs["reconcile"]
    names = {key.to_user_string() for key in reconcile.executable_asset_keys}
    workflows, _ = load_workflows(MillpondSettings().workflows)
    active = [each for each in workflows if each.spec.active]

    assert {each.target_state for each in active} | {each.mart for each in active} | {
        "raw_netsuite__customers"
    } <= names
    assert not [name for name in names if name.startswith(("plan_", "sync_"))]
    checks = {check_key(each) for each in active}
    assert checks <= set(reconcile.asset_graph.asset_check_keys)
    for name, layer in jobs.items():
        assert name == "reconcile" or not checks & set(layer.asset_graph.asset_check_keys), name


@pytest.mark.long
def test_the_reconcile_job_always_compares_all_ids(seeded: Home) -> None:
    """A normal run does so once a day; a night that skipped it would prove nothing."""
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


@pytest.mark.long
def test_the_night_certifies_what_it_read(night: Night) -> None:
    """A record that was edited in the target is wrong, and bounds the certificate by its creation."""
    (found,) = [
        each for each in night.result.get_asset_check_evaluations()
        if each.check_name == "certified" and each.asset_key.to_user_string() == f"sync_{CUSTOMERS}"
    ]  # fmt: skip

    assert not found.passed
    assert found.metadata["wrong"].value == 1
    kept = night.home.warehouse.read(
        "select wrong, reason from sync_certificates where workflow = ? order by position desc limit 1",
        [CUSTOMERS],
    )
    assert kept.row(0)[0] == 1
    assert kept.row(0)[1].endswith("is wrong (edited_in_target)")
