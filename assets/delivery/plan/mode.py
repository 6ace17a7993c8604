"""Modes: a run creates records, changes records, or does both.

plan, mode, import selection  ->  mode_exclusions()  ->  the records that this run leaves out
"""

from enum import StrEnum

import polars as pl

from assets.delivery.plan.exclude import Exclusion
from assets.delivery.schemas import KEY
from assets.delivery.target import Action


class Mode(StrEnum):
    """Actions that a run may take."""

    SYNC = "sync"  # create and change
    IMPORT = "import"  # create selected records that are not in the target; change nothing
    UPDATE = "update"  # change imported records; create nothing


def creates_of(plan: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that give a source record a target record."""
    return plan.filter(pl.col("action").is_in([Action.CREATE, Action.ADOPT]))


def mode_exclusions(plan: pl.DataFrame, mode: Mode, links: pl.DataFrame, unselected: pl.DataFrame) -> list[Exclusion]:
    """Return the records that a run of this mode leaves out, in order of precedence.

    `links` (LINK_SCHEMA) are the records that were imported before; `unselected` (KEY) those that may not be created.
    """
    creates = creates_of(plan)
    deleted = creates.filter(pl.col("action") == Action.CREATE).join(links, on=KEY, how="semi")
    changes = plan.filter(pl.col("action").is_in([Action.UPDATE, Action.DEACTIVATE, Action.REACTIVATE]))
    table = [
        (mode is Mode.UPDATE, deleted, "deleted_in_target", "deleted in the target; import it again to recreate it"),
        (True, unselected, "not_picked", "not selected for import"),
        (mode is Mode.UPDATE, creates, "not_imported", "not imported yet; an update creates no records"),
        (mode is Mode.IMPORT, changes, "left_for_update", "differs from the target; an import changes no records"),
    ]
    return [Exclusion(keys, code, reason) for applies, keys, code, reason in table if applies]
