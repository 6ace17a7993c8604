"""The jobs of groups: everything up to the targets, and a `__plan` job that stops before sending.

Group  ->  jobs <group>, <group>__plan; for a workflow with `imports` also <workflow>__import, <workflow>__update
"""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from assets.delivery.component.asset_spec import MODE_TAG
from assets.delivery.imports.candidates import LAYERS as IMPORT_LAYERS
from assets.delivery.imports.candidates import table_of
from assets.delivery.plan.mode import Mode
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.assets import READS
from assets.warehouse.snapshot import SNAPSHOT
from orchestration.automation.groups import ALL, PLAN_SUFFIX, Group
from orchestration.dagster_internals import RETRY_STRATEGY_TAG, UnresolvedAssetJobDefinition

CERTIFIED = "certified"  # the nightly certificate of a sync asset; only the job `reconcile` runs it
RECONCILED = "reconciled"  # the nightly check of a sync asset; only the job `reconcile` runs it
GROUPS_ASSET = "groups_yaml"  # fails with the problems of groups.yaml; exists only while there are any
SOURCE_GROUPS = ("netsuite", "warehouse", "history")  # asset groups of NetSuite's tables
# a run that is retried after its process died reads the target again: what the first one read is outdated
RETRY_ALL_STEPS = {RETRY_STRATEGY_TAG: "ALL_STEPS"}
MODE_DESCRIPTIONS = {
    Mode.IMPORT: "Create the selected records that are missing, with their ancestors; change nothing.",
    Mode.UPDATE: "Bring imported records up to date; create nothing.",
}


def group_jobs(
    groups: Mapping[str, Group],
    workflows: Sequence[Workflow],
    broken: Mapping[str, str],
    problem_assets: Sequence[str] = (),
) -> list[UnresolvedAssetJobDefinition]:
    """Return the jobs of every group that has an active or a broken workflow.

    A broken workflow stays in its jobs and fails them: a run without it would look complete.

    Args:
        groups: Groups by name.
        workflows: The usable workflows that runs include.
        broken: Name of the asset that stands in for each broken workflow.
        problem_assets: Assets that fail every group of groups.yaml and `all`.
    """
    known = {each.name: each for each in workflows}
    nightly_checks = dg.AssetSelection.checks(
        *(dg.AssetCheckKey(dg.AssetKey(each.sync), name) for each in workflows for name in (RECONCILED, CERTIFIED))
    )
    jobs: list[UnresolvedAssetJobDefinition] = []
    for name, group in groups.items():
        members = [known[each] for each in group.workflows if each in known]
        failing = [broken[each] for each in group.workflows if each in broken]
        if members or failing:
            is_single = name in known or name in broken
            extra = dg.AssetSelection.assets(*failing, *(() if is_single else problem_assets))
            jobs += _jobs_of(name, group, members, extra, nightly_checks)
    return jobs


def _jobs_of(
    name: str, group: Group, members: Sequence[Workflow], extra: dg.AssetSelection, nightly_checks: dg.AssetSelection
) -> Iterator[UnresolvedAssetJobDefinition]:
    """The jobs of one group."""
    # `all` also loads the tables that no workflow reads, for analysts
    tables = dg.AssetSelection.groups(*SOURCE_GROUPS) if name == ALL else dg.AssetSelection.assets()
    plan = _plan_selection(members, tables | extra)
    sync = (dg.AssetSelection.assets(*(each.sync for each in members)) | plan) - nightly_checks
    sync_and_publish = sync | dg.AssetSelection.assets(SNAPSHOT)
    about, modes = ", ".join(group.workflows), dict[Mode, str]()
    if len(members) == 1 and members[0].name == name and members[0].spec.imports:
        modes = MODE_DESCRIPTIONS
    for suffix, selection, description, mode in (
        ("", sync_and_publish, f"Read, plan and send: {about}.", group.mode),
        (PLAN_SUFFIX, plan, f"Read and plan only: {about}.", group.mode),
        *((f"__{mode.value}", sync_and_publish, description, mode) for mode, description in modes.items()),
    ):
        tags = {MODE_TAG: mode.value, **RETRY_ALL_STEPS}
        yield dg.define_asset_job(f"{name}{suffix}", selection, description=description, tags=tags)


def _plan_selection(members: Sequence[Workflow], extra: dg.AssetSelection) -> dg.AssetSelection:
    """Everything up to the plans; what a workflow needs from other workflows is taken from their last run."""
    tables = dict.fromkeys(record.table for each in members for record in each.spec.records)
    own = [name for each in members for name in (each.mart, each.target_state, each.plan, *import_tables(each))]
    # the log of reads, whose check fails the run if one of the tables failed
    selected = dg.AssetSelection.assets(*tables).upstream() | dg.AssetSelection.assets(READS, *own) | extra
    # and the version history of every staging table among them
    return selected | (selected.downstream(depth=1) & dg.AssetSelection.groups("history"))


def import_tables(workflow: Workflow) -> list[str]:
    """Return the assets that a workflow with `imports` has besides its own four."""
    return [table_of(layer, workflow) for layer in IMPORT_LAYERS] if workflow.spec.imports else []
