"""A workflow: its name, its file's content, and the tables named after it."""

from dataclasses import dataclass

from assets.delivery.spec.policies import Imports
from assets.delivery.spec.workflow_spec import WorkflowSpec


@dataclass(frozen=True)
class Workflow:
    """One workflow; its tables and its Dagster assets have the same names."""

    name: str
    spec: WorkflowSpec

    @property
    def mart(self) -> str:
        """Name of the table of desired records."""
        return f"mart_{self.name}"

    @property
    def target_state(self) -> str:
        """Name of the table of the target's current records."""
        return f"target_{self.name}"

    @property
    def plan(self) -> str:
        """Name of the plan's table."""
        return f"plan_{self.name}"

    @property
    def sync(self) -> str:
        """Name of the asset that sends the plan."""
        return f"sync_{self.name}"

    @property
    def imports_all(self) -> bool:
        """True if every record that the file selects is imported, without an import selection."""
        return self.spec.imports is None or self.spec.imports.select == "all"

    @property
    def label(self) -> str:
        """Target field that people know a record by."""
        return (self.spec.imports or Imports()).label

    def field_comments(self) -> dict[str, str]:
        """A comment per target field: the origin of its value."""
        return {row.field: f"{row.field} ← {row.origin}" for record in self.spec.records for row in record.rows}
