"""The people who decide about plans, links and switches.

user of this process  ->  MILLPOND_APPROVERS  ->  decided_by in the ledger
user of the web server  ->  role, checked there  ->  tag of the run  ->  decided_by in the ledger

MILLPOND_APPROVERS prevents mistakes, not attacks: whoever can write to Millpond's folder can do anything. The user is
the one that owns the process, so an environment variable cannot impersonate anyone.
"""

import os
import pwd
from collections.abc import Mapping

from assets.delivery.errors import SyncError
from orchestration.configuration.settings import MillpondSettings

USER_TAG = "millpond/user"  # of a run; the web server sets it, and removes what a request gave


def current_user() -> str:
    """Return the name of the process's user, or its number where it has no name, as in some containers."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def require_approver() -> str:
    """Return the current user; SyncError if MILLPOND_APPROVERS does not include the user."""
    user, approvers = current_user(), MillpondSettings().approver_names
    if approvers and user not in approvers:
        raise SyncError(f"{user} may not decide this; MILLPOND_APPROVERS allows {', '.join(sorted(approvers))}")
    return user


def approver_of(tags: Mapping[str, str]) -> str:
    """Return who decides in a run: the user of the web server that launched it, else that of the process.

    Raises:
        SyncError: MILLPOND_APPROVERS does not include the latter.
    """
    return tags.get(USER_TAG) or require_approver()
