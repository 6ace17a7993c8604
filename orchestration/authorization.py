"""Who decides by hand, and who may: plans are released, dropped and undone, records are linked, in somebody's name.

account on this machine  ->  MILLPOND_RELEASERS  ->  decided_by in the ledger

A seat belt, not a lock: who may write Millpond's folder can do everything. The account is the one that the process runs
under, so nobody can borrow another one's name by a variable.
"""

import os
import pwd

from assets.delivery.ledger.plans import SyncError
from orchestration.settings import MillpondSettings


def decider() -> str:
    """The person, as this machine knows him; a container may know nobody by name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def decide_as() -> str:
    """The person who decides.

    Raises:
        SyncError: It is not for him to decide.
    """
    who, named = decider(), MillpondSettings().may_decide
    if named and who not in named:
        raise SyncError(f"{who} may not decide this; MILLPOND_RELEASERS names who may: {', '.join(sorted(named))}")
    return who
