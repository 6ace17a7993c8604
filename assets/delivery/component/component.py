"""The Dagster component of a workflow file: four assets with their checks.

orchestration/workflows/<workflow>/defs.yaml  ->  SyncWorkflow  ->  mart, target state, plan, sync
"""

import re
from typing import Self

import dagster as dg
from pydantic import BaseModel

from assets.delivery.component.asset_spec import as_inactive
from assets.delivery.component.assets import mart_asset, plan_asset, sync_asset, target_state_asset
from assets.delivery.component.import_assets import import_assets
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.target_registry import TARGETS


class SyncWorkflow(dg.Component):
    """A workflow: which NetSuite records become which records of a target, and how."""

    def __init__(self, spec: WorkflowSpec) -> None:
        self.spec = spec

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """Return the file's schema, for `dg check yaml` and editors."""
        return WorkflowSpec

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:  # noqa: ARG003 - Dagster's signature
        """Create the component from attributes that Dagster validated."""
        assert isinstance(attributes, WorkflowSpec)
        return cls(attributes)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build the workflow's assets; its name is the folder's."""
        workflow = Workflow(context.path.name, self.spec)
        return dg.Definitions(assets=workflow_assets(workflow, runnable=workflow.spec.active))


def workflow_assets(workflow: Workflow, *, runnable: bool) -> list[dg.AssetsDefinition]:
    """Build the assets of one workflow; those that are not runnable are only shown in the graph."""
    kind = TARGETS[workflow.spec.target]
    builders = (mart_asset, target_state_asset, plan_asset, sync_asset)
    assets = [*(build(workflow, kind) for build in builders), *import_assets(workflow)]
    return assets if runnable else [as_inactive(asset, workflow) for asset in assets]


def broken_asset_name(name: str) -> str:
    """Return the name of the asset that stands for a workflow file that is not valid."""
    return f"mart_{re.sub(r'[^A-Za-z0-9_]', '_', name)}"


def broken_asset(name: str, problem: str) -> dg.AssetsDefinition:
    """Build the asset that stands for a file that is not valid: it shows the problem and fails, and the rest works."""

    @dg.asset(
        name=name,
        group_name="broken",
        kinds={"polars", "duckdb"},
        owners=["team:integrations"],
        tags={"millpond/layer": "mart", "millpond/broken": "true"},
        description=f"**This file is not valid.**\n\n{problem}",
    )
    def broken() -> None:
        raise dg.Failure(problem, allow_retries=False)

    return broken
