"""A workflow file becomes four assets with their checks: mart, target state, plan, sync.

orchestration/workflows/<workflow>/defs.yaml  ->  SyncWorkflow (a Dagster component)  ->  dg.Definitions

stg_…  ->  mart_<workflow>  ┐
target ->  target_<workflow>  ┴>  plan_<workflow>  ->  sync_<workflow>  ->  target
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import dagster as dg
from pydantic import BaseModel

from assets.delivery.component.assets import mart_asset, plan_asset, sync_asset, target_state_asset
from assets.delivery.component.import_assets import import_assets
from assets.delivery.plan.planner import Workflow
from assets.delivery.spec.expressions import on_demand
from assets.delivery.spec.loader import WorkflowFileError, file_problems, read_workflow
from assets.delivery.spec.validation import mismatches
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.target_registry import TARGETS, TargetKind
from assets.warehouse.staging_schemas import staging_schemas

_NAME = re.compile(r"[A-Za-z0-9_]+")


class SyncWorkflow(dg.Component):
    """One workflow: which NetSuite records become which target records, and how."""

    def __init__(self, spec: WorkflowSpec) -> None:
        self.spec = spec

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The file's schema, for `dg check yaml` and editors."""
        return WorkflowSpec

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:  # noqa: ARG003 - Dagster's signature
        """Take the checked attributes."""
        return cls(WorkflowSpec.model_validate(attributes))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The workflow's assets; its name is its folder's."""
        return workflow_definitions(Workflow(context.path.name, self.spec))


def load_workflow(path: Path) -> Workflow:
    """Read `<folder>/<workflow>/defs.yaml`; the folder's name is the workflow's.

    Raises:
        WorkflowFileError: The file cannot be used.
    """
    name = path.parent.name
    if not _NAME.fullmatch(name):
        raise WorkflowFileError(f"{path}: the folder names the workflow: use letters, digits and underscores only")
    spec = read_workflow(path)
    kind = TARGETS.get(spec.target)
    if kind is None:
        text = f"no target `{spec.target}`; there are {', '.join(sorted(TARGETS))}"
        raise file_problems(path, [(("target",), text)])
    without = [each.source for each in spec.records if kind.key_field not in {row.field for row in each.rows}]
    if without:
        text = f"no active row of {', '.join(without)} fills `{kind.key_field}`, our key there"
        raise file_problems(path, [(("fields" if spec.source else "records",), text)])
    tables = staging_schemas(*on_demand(spec))
    found = [*_beyond(spec, kind), *mismatches(spec, tables, kind.may_have, kind.may_look_up)]
    if found:
        raise file_problems(path, found)
    return Workflow(name, spec)


def _beyond(spec: WorkflowSpec, kind: TargetKind) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What the file asks of the target that it cannot do."""
    if kind.max_level and (spec.max_level or 0) > kind.max_level:
        yield ("max_level",), f"{kind.system} takes {kind.max_level} levels; write that or less"
    if spec.connection and not kind.connections:
        yield ("connection",), f"there is one account of {kind.system}; leave `connection` out"


def workflow_definitions(workflow: Workflow) -> dg.Definitions:
    """The four assets of one workflow, and what people import by."""
    kind = TARGETS[workflow.spec.target]
    builders = (mart_asset, target_state_asset, plan_asset, sync_asset)
    return dg.Definitions(assets=[*(build(workflow, kind) for build in builders), *import_assets(workflow)])


def broken_asset(name: str) -> str:
    """Name of the asset that stands in for a workflow whose file cannot be used."""
    return f"mart_{re.sub(r'[^A-Za-z0-9_]', '_', name)}"


def broken_definitions(asset: str, problem: str) -> dg.Definitions:
    """What stands in for a file that cannot be used: an asset that says so, and nothing else breaks."""

    @dg.asset(
        name=asset,
        group_name=asset.removeprefix("mart_"),
        kinds={"polars", "duckdb"},
        owners=["team:integrations"],
        tags={"millpond/layer": "mart", "millpond/broken": "true"},
        description=f"**This file cannot be used.**\n\n{problem}",
    )
    def broken() -> None:
        raise dg.Failure(problem, allow_retries=False)

    return dg.Definitions(assets=[broken])
