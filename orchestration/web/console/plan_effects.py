"""The effects of a plan: records that it releases, and those that it holds back, by root cause.

plan, the other plans of its run  ->  plan_effects()          slower than the plan's page, which loads it afterwards
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from assets.delivery.audit.held_back import cause_texts, held_back, held_records, without_values
from assets.delivery.audit.plan_review import newest_plans
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import WRITING
from assets.result_texts import counted
from orchestration.web.console.site import Account, Reading, Site
from resources.clock import utc_now
from resources.warehouse.tables import has_table
from resources.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Follows:
    """Sentences about what follows.

    Attributes:
        effects: Records that can follow in the same run.
        held: A sentence for each cause that holds records back.
    """

    effects: Sequence[str] = ()
    held: Sequence[str] = ()


def plan_effects(site: Site, account: Account, plan_id: str) -> tuple[Follows | None, Reading]:
    """Return what follows from a plan, None if there is no such plan, and the time of the data."""
    if not account.live.exists():
        return None, Reading(utc_now(account.clock), is_empty=True)

    def query(warehouse: Warehouse) -> Follows | None:
        with warehouse.writer(transaction=False) as con:
            if not has_table(con, "sync_plans"):
                return None
            found = con.execute("select workflow, made_by from sync_plans where plan_id = ?", [plan_id]).fetchall()
            if not found:
                return None
            workflow = site.workflows.get(found[0][0])
            if workflow is None or not has_table(con, workflow.plan):
                return Follows()
            return account.kept(
                ("follows", plan_id),
                warehouse,
                lambda: _follows(con, site, account, workflow, found[0][1], plan_id, hides=warehouse.hides_personal),
            )

    return account.read(query, is_private=True)


def _follows(
    con: duckdb.DuckDBPyConnection,
    site: Site,
    account: Account,
    workflow: Workflow,
    run_id: str,
    plan_id: str,
    *,
    hides: bool,
) -> Follows:
    """Return what the plan releases, here and in workflows planned by the same run; and what it holds back."""
    now = utc_now(account.clock)
    made, workflows = {**newest_plans(con, run_id), workflow.name: plan_id}, site.workflows
    known = [workflows[name] for name in made if name in workflows]
    holding = [each for each in known if each.name == workflow.name or workflow.name in each.spec.upstream]
    every = held_records(con, holding, workflows, made, now, named=False)
    released = every.filter(
        (pl.col("root_workflow") == workflow.name) & pl.col("root_action").is_in([each.value for each in WRITING])
    )
    effects = [
        f"{counted(rows.height, str(source))} of {name} waited for these records and can follow"
        for (name, source), rows in released.group_by("workflow", "source", maintain_order=True)
    ]
    held = every.filter(pl.col("workflow") == workflow.name)
    return Follows(effects, cause_texts(held_back(without_values(held) if hides else held)))
