"""The named users of the web server: `users.json` in the home, private and replaced atomically.

`millpond user add | role | reset | remove`  ->  Users  ->  sign-in, at each request

The file's existence switches the sign-in token off, also when its last user is removed.
"""

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import time
from typing import Any

from filelock import FileLock
from pydantic import TypeAdapter

from orchestration.web.identity import Role
from orchestration.web.passwords import HASHED, checked, hashed
from resources.atomic_file import write_atomically

NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
ONE_TIME_S = 72 * 3600
CLOCKS_DIFFER_S = 3600  # of two machines, or of one that was corrected
LOCK_TIMEOUT_S = 30.0
_FORMAT = 1


class UsersError(Exception):
    """The users cannot be read or changed; the text has the reason and a fix."""


@dataclass(frozen=True)
class User:
    """One user as stored.

    Attributes:
        password: Hash of the password; blank for one who comes through the sign-in proxy only.
        credential: Changes with each password, so that sessions of the earlier one end.
        one_time_until: Time until which the password can be exchanged for one of the user's own; 0: it is that one.
    """

    role: Role
    password: str
    credential: str
    one_time_until: float = 0.0

    @property
    def is_expired(self) -> bool:
        """True if the password was never exchanged in time, or was made by a clock that was far ahead."""
        return bool(self.one_time_until) and not 0 <= self.one_time_until - time() <= ONE_TIME_S + CLOCKS_DIFFER_S


def user_name(given: str) -> str:
    """Return the name as it is stored: lower case; UsersError if it is not a valid name."""
    name = given.strip(" ").lower()  # a sign-in proxy's user whose name ends with another kind of space is another one
    if not NAME.fullmatch(name):
        raise UsersError("a user name has letters, digits and . _ @ + -, at most 64, such as ada or ada@example.com")
    return name


class Users:
    """The users in one file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._seen: tuple[tuple[int, int, int], Mapping[str, User], str] | None = None

    @property
    def exist(self) -> bool:
        """True once a user was added; the sign-in token is off from then on."""
        return self.file.exists()

    def all(self) -> Mapping[str, User]:
        """Return the users by name; UsersError if the file is damaged."""
        return self._read()[0]

    def find(self, name: str) -> User | None:
        """Return one user as of now."""
        return self.all().get(name)

    @property
    def device_key(self) -> bytes:
        """The key that marks browsers in which someone signed in before."""
        return bytes.fromhex(self._read()[1])

    def add(self, name: str, role: Role, password: str | None = None, *, no_password: bool = False) -> str:
        """Add a user.

        Args:
            name: The name.
            role: What the user may do.
            password: The password; without it a one-time password is made.
            no_password: The user comes through the sign-in proxy only.

        Returns:
            The one-time password; blank if there is none.

        Raises:
            UsersError: The user exists, or the name cannot be used.
            PasswordError: The password cannot be used.
        """
        with self._changed() as users:
            if name in users:
                raise UsersError(f"user {name} exists; `millpond user role` and `millpond user reset` change it")
            users[name], given = _user(name, role, password, no_password=no_password)
        return given

    def set_role(self, name: str, role: Role) -> None:
        """Change what a user may do, from the next request on; UsersError if there is no such user."""
        with self._changed() as users:
            users[name] = replace(_known(users, name), role=role)

    def reset(self, name: str, password: str | None = None) -> str:
        """Replace a user's password and end its sessions; return the one-time password, if one was made.

        Raises:
            UsersError: There is no such user.
            PasswordError: The password cannot be used.
        """
        with self._changed() as users:
            users[name], given = _user(name, _known(users, name).role, password)
        return given

    def choose(self, name: str, credential: str, password: str) -> bool:
        """Exchange a one-time password for the user's own; return whether it was still valid.

        Raises:
            PasswordError: The new password cannot be used.
        """
        with self._changed() as users:
            user = users.get(name)
            if user is None or user.credential != credential or not user.one_time_until or user.is_expired:
                return False
            users[name], _ = _user(name, user.role, password)
        return True

    def remove(self, name: str) -> None:
        """Remove a user and end its sessions; UsersError if there is no such user."""
        with self._changed() as users:
            _known(users, name)
            del users[name]

    @contextmanager
    def _changed(self) -> Iterator[dict[str, User]]:
        """Yield the users to change, and store them at the end of the block unless it raised."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.file}.lock", LOCK_TIMEOUT_S, mode=0o600):
            known, key = self._read()
            users = dict(known)
            yield users
            if users != known or not self.exist:
                content = {
                    "format": _FORMAT,
                    "device_key": key or secrets.token_hex(32),
                    "users": {name: asdict(each) for name, each in sorted(users.items())},
                }
                write_atomically(self.file, json.dumps(content, indent=1), mode=0o600)

    def _read(self) -> tuple[Mapping[str, User], str]:
        """Read the file again if it was replaced."""
        try:
            found = self.file.stat()
            version = (found.st_ino, found.st_mtime_ns, found.st_size)
            if self._seen is None or self._seen[0] != version:
                self._seen = (version, *_parsed(self.file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}, ""
        except (KeyError, OSError, TypeError, ValueError):
            fix = "restore it from a backup, or remove it and add the users again"
            raise UsersError(f"{self.file} cannot be read; {fix}") from None
        return self._seen[1], self._seen[2]


def can_read(file: Path) -> bool:
    """Return whether a file can be used; it may have no user any more."""
    try:
        Users(file).all()
    except UsersError:
        return False
    return True


def _parsed(text: str) -> tuple[Mapping[str, User], str]:
    content = TypeAdapter(dict[str, Any]).validate_json(text)
    if content["format"] != _FORMAT or not bytes.fromhex(content["device_key"]):
        raise ValueError
    users = TypeAdapter(dict[str, User]).validate_python(content["users"])
    if not all(HASHED.fullmatch(each.password) for each in users.values() if each.password):
        raise ValueError
    return users, content["device_key"]


def _known(users: Mapping[str, User], name: str) -> User:
    if name not in users:
        raise UsersError(f"no user {name}; `millpond user list` lists them")
    return users[name]


def _user(name: str, role: Role, password: str | None, *, no_password: bool = False) -> tuple[User, str]:
    """Return a user with a new credential, and its one-time password."""
    credential = secrets.token_hex(16)
    if no_password:
        return User(role, "", credential), ""
    if password is not None:
        return User(role, hashed(checked(password, name)), credential), ""
    made = secrets.token_urlsafe(18)
    return User(role, hashed(made), credential, time() + ONE_TIME_S), made
