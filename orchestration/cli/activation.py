"""Switch workflows and real time on and off while everything runs: `millpond activate`, `deactivate`, and from the UI.

word of a person  ->  <warehouse>/switches.json  ->  runs look at it when they decide; the sink's page shows it at once
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from pydantic import Field
from rich.console import Console

from assets.delivery.plan.planner import Workflow
from assets.delivery.spec.switches import State, Switches
from orchestration.account_partitions import account_of, partitions_of
from orchestration.cli.output import print_problems
from orchestration.dagster_instance import open_instance
from orchestration.settings import MillpondSettings

SWITCH = "switch_workflow"
OP = "switch"  # Dagster wants another name for the op than for the job


@dataclass(frozen=True)
class Word:
    """What a person says of one workflow; None leaves it as it is."""

    workflow: str
    active: bool | None
    realtime: bool | None
    why: str = ""


class WordError(Exception):
    """It cannot be switched so; the text says why and what to do."""


def switch(switches: Switches, workflows: Sequence[Workflow], word: Word) -> tuple[State, list[str]]:
    """Remember it.

    Returns:
        How the workflow is now, and what a person should know of others that need it.

    Raises:
        WordError: There is no such workflow, or what it needs is off.
    """
    known = {each.name: each for each in workflows}
    workflow = known.get(word.workflow)
    if workflow is None:
        raise WordError(f"no usable workflow {word.workflow}; there are {', '.join(known)}")
    on = {name for name, each in known.items() if switches.state(each).active}
    if word.active:
        missing = [need for need in workflow.spec.waits_for if need not in on]
        if missing:
            raise WordError(f"{word.workflow} needs {', '.join(missing)}, which is off; activate that first")
    switches.say(word.workflow, active=word.active, realtime=word.realtime, why=word.why)
    needing = [name for name in sorted(on) if name in known and word.workflow in known[name].spec.waits_for]
    told = [f"{name} needs it and goes by what was there last" for name in needing] if word.active is False else []
    return switches.state(workflow), told


def observation(workflow: str, state: State, why: str, account: str) -> dg.AssetObservation:
    """What the sink's page shows of it."""
    return dg.AssetObservation(
        asset_key=f"sync_{workflow}",
        description=f"switched {state.told}",
        metadata={"active": state.active, "realtime": state.realtime, "switch": state.told, "why": why},
        partition=account or None,
    )


def print_switched(word: Word, console: Console) -> int:
    """Switch, show it, and say what it means; returns the exit code."""
    settings = MillpondSettings()
    with open_instance(settings) as instance:
        from orchestration.definitions import load_workflows

        workflows, _ = load_workflows(settings.workflows)
        try:
            state, told = switch(Switches(settings.warehouse), workflows, word)
        except (WordError, ValueError) as error:
            print_problems([str(error)], console)
            return 2
        instance.report_runless_asset_event(observation(word.workflow, state, word.why, settings.account))
    console.print(f"{word.workflow} is {state.told}", highlight=False, soft_wrap=True)
    for line in told:
        console.print(line, style="yellow", highlight=False, soft_wrap=True)
    return 0


class Switching(dg.Config):
    """Which workflow, and what becomes of it."""

    workflow: str = Field(description="The workflow's name.")
    active: bool | None = Field(default=None, description="On or off; left out: as it is.")
    realtime: bool | None = Field(default=None, description="Whether saved records are brought at once; or as it is.")
    why: str = Field(default="", description="Who decided, and why: kept with the run and beside the switch.")


def switch_job(workflows: Sequence[Workflow], settings: MillpondSettings) -> dg.JobDefinition:
    """The same from the Dagster UI."""

    @dg.op(
        name=OP,
        description="Switches a workflow, or its real time, on or off; runs look at it when they decide.",
        required_resource_keys={"warehouse"},
        out=dg.Out(dg.Nothing),
    )
    def say(context: dg.OpExecutionContext, config: Switching) -> None:
        word = Word(config.workflow, config.active, config.realtime, config.why)
        try:
            state, told = switch(Switches(context.resources.warehouse.folder), workflows, word)
        except (WordError, ValueError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        for line in told:
            context.log.warning(line)
        context.log_event(observation(word.workflow, state, word.why, account_of(context.run, settings).account))

    @dg.job(
        name=SWITCH,
        description="Switch a workflow or its real time on or off, while everything runs.",
        partitions_def=partitions_of(settings),
    )
    def job() -> None:
        say()

    return job
