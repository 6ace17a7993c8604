"""The run that every stage of a delivery belongs to.

warehouse, workflow, target, run id, clock  ->  RunContext  ->  read_target_state(), make_plan(), run_sync()
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from assets.delivery.errors import SyncError
from assets.delivery.schemas import TargetShape
from assets.delivery.spec.workflow import Workflow
from assets.delivery.target import Target
from resources.clock import Clock, utc_now
from resources.encryption import Cipher, EncryptionError
from resources.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class RunContext:
    """One run of one workflow: where it reads and writes, its id in the ledger, and its clock."""

    warehouse: Warehouse
    workflow: Workflow
    target: Target
    run_id: str
    clock: Clock

    @cached_property
    def cipher(self) -> Cipher:
        """The encryption of stored plans and before-images; SyncError if the key is malformed."""
        try:
            return Cipher(self.warehouse.encryption_key)
        except EncryptionError as error:
            raise SyncError(str(error)) from error

    @property
    def target_shape(self) -> TargetShape:
        """The properties of the target that a decision depends on.

        Raises:
            RequestRejectedError: The target no longer accepts a field.
        """
        accepted = self.target.accepted(self.workflow.spec.target_fields)
        return TargetShape(self.target.key_field, self.target.active_field, accepted)

    @property
    def now(self) -> datetime:
        """The current time: UTC, naive, as the warehouse stores it."""
        return utc_now(self.clock)
