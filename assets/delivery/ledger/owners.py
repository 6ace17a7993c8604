"""The target records that the ledger links to records of NetSuite: a create made none of them.

sync_links of the account's workflows  ->  Owners.read()  ->  .are_others(record, target id)
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import duckdb

from assets.delivery.schemas import SourceKey
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.bindings import of_same_account

Owner = tuple[str, str, str]  # workflow, source, NetSuite id


@dataclass(frozen=True)
class Owners:
    """The records of NetSuite by the target id that they are linked to."""

    workflow: str = ""
    of: Mapping[str, Collection[Owner]] = field(default_factory=dict)

    @classmethod
    def read(cls, con: duckdb.DuckDBPyConnection, workflow: Workflow) -> "Owners":
        """Read the links of every workflow that writes the same type of record in the same account."""
        same = of_same_account(con, "workflow", "$workflow")  # ids of two accounts may be the same numbers
        links = con.execute(
            "select target_id, workflow, source, source_id from sync_links where target_id is not null"
            f" and (workflow = $workflow or (target = $target and {same}))",
            {"workflow": workflow.name, "target": workflow.spec.target},
        ).fetchall()
        of: defaultdict[str, set[Owner]] = defaultdict(set)
        for target_id, *owner in links:
            of[target_id].add((owner[0], owner[1], owner[2]))
        return cls(workflow.name, dict(of))

    def are_others(self, record: SourceKey, target_id: str) -> bool:
        """Return whether a target record belongs to other records of NetSuite, and not to this one."""
        owners = self.of.get(target_id, ())
        return bool(owners) and (self.workflow, *record) not in owners
