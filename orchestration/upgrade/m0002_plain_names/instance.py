"""Dagster's instance: schedules and sensors stay on or off under their new names, runs get their new tags."""

from collections.abc import Iterator

import dagster as dg

from orchestration.dagster_internals import renamed_instigator
from orchestration.upgrade.m0002_plain_names.names import INSTIGATORS, RUN_TAGS

RUNS = 1000  # newest runs whose tags are looked at


def convert_instance(instance: dg.DagsterInstance) -> Iterator[str]:
    """Add what is stored under old names under the new ones; what is there under the old ones stays."""
    states = instance.all_instigator_state()
    present = {state.instigator_name for state in states}
    for state in states:
        name, separator, account = state.instigator_name.partition("__")
        new = INSTIGATORS.get(name)
        renamed = f"{new}{separator}{account}"
        if new and renamed not in present:
            instance.add_instigator_state(renamed_instigator(state, renamed))
            yield f"Dagster: {state.instigator_name} -> {renamed}, {state.status.value.lower()}"
    for run in instance.get_runs(limit=RUNS):
        tags = {new: run.tags[old] for old, new in RUN_TAGS.items() if old in run.tags and new not in run.tags}
        if tags:
            instance.add_run_tags(run.run_id, tags)
