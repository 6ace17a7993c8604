"""Names and roles of those who use the web server, and what each role may do.

sign-in  ->  Identity on `request.state.identity`, also `current()` in the request's threads  ->  may(identity, action)

A page of this server asks `may(identity_of(request.scope), Action.…)`; a request without an identity may do nothing.
"""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """Roles of users; each may do what the one before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"


class Action(StrEnum):
    """Kinds of action; docs/security.md lists what belongs to each."""

    READ = "read"  # pages, reports, logs, queries
    RUN = "run"  # launch and terminate runs, reload the definitions
    APPROVE = "approve"  # apply, reject, undo, link, switch a workflow
    ADMINISTER = "administer"  # everything else: schedules, sensors, deletion, events that no run reported


_ALLOWED = {
    Role.VIEWER: frozenset({Action.READ}),
    Role.OPERATOR: frozenset({Action.READ, Action.RUN}),
    Role.APPROVER: frozenset(Action),
}


@dataclass(frozen=True)
class Identity:
    """The user of a request.

    Attributes:
        name: The user's name; blank for whoever has the sign-in token, which names no one.
        role: The role at the time of the request.
    """

    name: str
    role: Role

    @property
    def title(self) -> str:
        """The name for a message."""
        return f"{self.name or 'the sign-in token'} ({self.role})"


_current: ContextVar[Identity | None] = ContextVar("identity", default=None)


def may(identity: Identity | None, action: Action) -> bool:
    """Return whether an action is allowed; without an identity none is."""
    return identity is not None and action in _ALLOWED[identity.role]


def identity_of(scope: MutableMapping[str, Any]) -> Identity | None:
    """Return the identity of a request, by its ASGI scope."""
    found = scope.get("state", {}).get("identity")
    return found if isinstance(found, Identity) else None


def current() -> Identity | None:
    """Return the identity of the request that this code runs for, in its threads and tasks as well."""
    return _current.get()


@contextmanager
def acting_as(identity: Identity, scope: MutableMapping[str, Any]) -> Iterator[None]:
    """Serve one request as this identity."""
    scope["state"] = {**scope.get("state", {}), "identity": identity}
    token = _current.set(identity)
    try:
        yield
    finally:
        _current.reset(token)
