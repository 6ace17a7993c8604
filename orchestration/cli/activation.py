"""`millpond activate` and `millpond deactivate`: workflows and their real-time updates, without a restart."""

from dataclasses import replace

from assets.delivery.errors import SyncError
from orchestration.authorization import require_approver
from orchestration.cli.facts import with_json
from orchestration.cli.output import print_problems, print_wrapped
from orchestration.configuration.settings import MillpondSettings
from orchestration.dagster_instance import open_instance
from orchestration.opened_warehouse import warehouse_of
from orchestration.operator_jobs.activation import Activation, ActivationError, observation, set_activation
from orchestration.workflow_files import load_workflows


@with_json
def activate(workflow: str, *, realtime: bool = False, reason: str = "") -> int:
    """Activate a workflow or its real-time updates.

    Args:
        workflow: The workflow.
        realtime: Only real-time updates of records that NetSuite reports as saved.
        reason: A note that is recorded with the state.
    """
    return _change(Activation(workflow, on=True, realtime=realtime, reason=reason))


@with_json
def deactivate(workflow: str, *, realtime: bool = False, reason: str = "") -> int:
    """Deactivate a workflow or its real-time updates.

    Args:
        workflow: The workflow.
        realtime: Only its real-time updates; scheduled runs are not affected.
        reason: A note that is recorded with the state.
    """
    return _change(Activation(workflow, on=False, realtime=realtime, reason=reason))


def _change(activation: Activation) -> int:
    settings = MillpondSettings()
    workflows, _ = load_workflows(settings.workflows)
    with open_instance(settings) as instance:
        try:
            activation = replace(activation, decided_by=require_approver())
            state, warnings = set_activation(warehouse_of(settings), workflows, activation)
        except (ActivationError, SyncError, ValueError) as error:
            print_problems([str(error)])
            return 2
        instance.report_runless_asset_event(observation(activation, state, settings.account))
    print_wrapped(f"{activation.workflow} is {state.description}")
    for line in warnings:
        print_wrapped(line, "yellow")
    return 0
