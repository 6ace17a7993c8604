"""The users who decide about plans and links.

user of this process  ->  MILLPOND_APPROVERS  ->  decided_by in the ledger

This prevents mistakes, not attacks: whoever can write to Millpond's folder can do anything. The user is the one that
owns the process, so an environment variable cannot impersonate anyone.
"""

import os
import pwd

from assets.delivery.errors import SyncError
from orchestration.configuration.settings import MillpondSettings


def current_user() -> str:
    """Return the name of the process's user, or its number where it has no name, as in some containers."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def require_approver() -> str:
    """Return the current user.

    Raises:
        SyncError: MILLPOND_APPROVERS does not include the user.
    """
    user, approvers = current_user(), MillpondSettings().approver_names
    if approvers and user not in approvers:
        raise SyncError(f"{user} may not decide this; MILLPOND_APPROVERS allows {', '.join(sorted(approvers))}")
    return user
