"""The check of a run or backfill before it is stored, for what no test of the served UI reaches."""

from typing import Any

import dagster as dg
import pytest
from dagster_graphql.implementation.utils import UserFacingGraphQLError

from orchestration.authorization import USER_TAG
from orchestration.automation.groups import DIGEST, MAINTENANCE, OPERATOR_JOBS, REALTIME
from orchestration.dagster_internals import PartitionBackfill, before_storing
from orchestration.definitions import definitions
from orchestration.web.dagster_guard import checked_backfill, checked_run
from orchestration.web.identity import Identity, Role, acting_as

OLGA, VIC, TOKEN = Identity("olga", Role.OPERATOR), Identity("vic", Role.VIEWER), Identity("", Role.APPROVER)


def backfill(job: str, **config: Any) -> PartitionBackfill:
    """A backfill of a job's partitions, with a forged name."""
    origins = dg._core.remote_origin
    location = origins.RegisteredCodeLocationOrigin(location_name="millpond")
    repository = origins.RemoteRepositoryOrigin(code_location_origin=location, repository_name="__repository__")
    origin = origins.RemotePartitionSetOrigin(repository_origin=repository, partition_set_name=f"{job}_partition_set")
    status = dg._core.execution.backfill.BulkActionStatus.REQUESTED
    return PartitionBackfill(
        "one", status, False, {USER_TAG: "ada"}, 0.0, partition_set_origin=origin, run_config=config
    )


def test_a_backfill_is_checked_and_tagged_like_its_runs() -> None:
    """The daemon starts them later and knows no users."""
    with acting_as(OLGA, {}):
        assert checked_backfill(backfill("all")).tags == {USER_TAG: "olga"}
        for job in OPERATOR_JOBS:
            with pytest.raises(UserFacingGraphQLError, match="may not launch"):
                checked_backfill(backfill(job))
        for part in ("resources", "execution"):
            with pytest.raises(UserFacingGraphQLError, match=f"come from the settings; remove `{part}`"):
                checked_backfill(backfill("all", **{part: {}}))
    with acting_as(TOKEN, {}):
        assert checked_backfill(backfill(OPERATOR_JOBS[0])).tags == {}, "the token names no one"


@pytest.mark.parametrize("identity", [VIC, None])
def test_a_run_without_a_role_is_not_stored(identity: Identity | None) -> None:
    """Neither a viewer's nor one outside of a request, whatever mutation led to it."""
    run = dg.DagsterRun("all", run_id="00000000-0000-4000-8000-000000000000")
    with dg.DagsterInstance.ephemeral() as instance:
        before_storing(instance, checked_run, checked_backfill)
        for store in (lambda: instance.add_run(run), lambda: instance.add_backfill(backfill("all"))):
            with pytest.raises(UserFacingGraphQLError, match="may not launch all"):
                _as(identity, store)
        assert (instance.get_runs(), instance.get_backfills()) == ([], [])
        with acting_as(OLGA, {}):
            instance.add_run(run)
        assert instance.get_runs()[0].tags == {USER_TAG: "olga"}


def _as(identity: Identity | None, call: Any) -> None:
    if identity is None:
        call()
        return
    with acting_as(identity, {}):
        call()


def test_every_job_of_an_operators_decision_is_known() -> None:
    """A new job without assets is one, unless it is listed here: otherwise an operator could start it."""
    jobs = definitions().resolve_all_job_defs()
    without_assets = {job.name for job in jobs if not job.asset_layer.executable_asset_keys}

    assert without_assets - {DIGEST, MAINTENANCE, REALTIME} == set(OPERATOR_JOBS)


@pytest.mark.parametrize(
    ("tag", "is_kept"),
    [
        ("ticket", True), ("dagster/partition", True), (".dagster/repository", True), ("millpond/mode", True),
        ("dagster-k8s/config", False), ("dagster-celery/queue", False), ("dagster-celery/run_task_id", False),
        ("dagster/image", False), ("ecs/task_overrides", False), ("dagster/x/y", False), ("/x", True),
    ],
)  # fmt: skip
def test_no_request_decides_what_a_launcher_starts(tag: str, *, is_kept: bool) -> None:
    """An image or command of one's own would run with every credential; no role may do that."""
    run = dg.DagsterRun("all", run_id="00000000-0000-4000-8000-000000000000", tags={tag: "value"})
    for identity in (OLGA, Identity("ada", Role.APPROVER)):
        with acting_as(identity, {}):
            assert (tag in checked_run(run).tags) == is_kept
            assert (tag in checked_backfill(backfill("all")._replace(tags={tag: "value"})).tags) == is_kept
