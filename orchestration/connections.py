"""The warehouse, the workflows and the clients of all targets: what an operator's action needs.

open_connections() outside a run, or a job's own resources  ->  Connections
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assets.delivery.errors import SyncError
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import Target
from assets.result_texts import did_you_mean
from assets.target_registry import TARGETS
from orchestration.clients import TARGET_CLIENTS, netsuite_client
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_of
from orchestration.workflow_files import load_workflows
from resources.clock import Clock, utc_now
from resources.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Connections:
    """An open warehouse, workflows by name, and clients by connection name."""

    warehouse: Warehouse
    workflows: Mapping[str, Workflow]
    clients: Mapping[str, Any]

    @classmethod
    def of(cls, workflows: Sequence[Workflow], resources: Any) -> "Connections":
        """Collect the warehouse and the clients that workflows use from a context's resources."""
        clients = {each.spec.connection_name: getattr(resources, each.spec.connection_name) for each in workflows}
        return cls(resources.warehouse, {each.name: each for each in workflows}, clients)

    def workflow(self, name: str) -> Workflow:
        """Return a workflow by name; SyncError if no usable file has that name."""
        if name not in self.workflows:
            meant = did_you_mean(name, self.workflows)
            raise SyncError(f"no usable workflow {name}; {meant}`millpond validate` checks the workflow files")
        return self.workflows[name]

    def client(self, workflow: Workflow) -> Any:
        """Return the client of a workflow's target."""
        return self.clients[workflow.spec.connection_name]

    def target(self, workflow: Workflow) -> tuple[Target, Clock]:
        """Return a workflow's target and its system's clock."""
        client = self.client(workflow)
        return TARGETS[workflow.spec.target].build(client, workflow.spec.options), client.clock

    @property
    def clock(self) -> Clock:
        """The clock that all clients share."""
        clock: Clock = next(iter(self.clients.values())).clock
        return clock

    @property
    def now(self) -> datetime:
        """The time in UTC without a zone."""
        return utc_now(self.clock)


@contextmanager
def open_connections(settings: MillpondSettings | None = None) -> Iterator[Connections]:
    """Open the warehouse and the clients of an account, by default the selected one; clients connect at first use."""
    settings = settings or MillpondSettings()
    workflows, _ = load_workflows(settings.workflows)
    specs = {each.spec.connection_name: each.spec for each in workflows}
    with ExitStack() as stack:
        # NetSuite's client provides the clock even when no workflow is left
        clients: dict[str, Any] = {"netsuite": stack.enter_context(netsuite_client(settings))}
        for name, spec in specs.items():
            clients[name] = stack.enter_context(TARGET_CLIENTS[spec.system](settings, spec.connection))
        yield Connections(warehouse_of(settings), {each.name: each for each in workflows}, clients)
