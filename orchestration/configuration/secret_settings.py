"""Secrets of the environment: their values, and for Dagster references to them."""

import os
import re
from collections.abc import Callable
from itertools import chain
from urllib.parse import unquote

from orchestration.configuration.env_file import PREFIXES
from orchestration.configuration.secret_names import SECRETS
from orchestration.configuration.settings import MillpondSettings, env_name, split_list
from resources.redaction import know
from resources.redaction import redact as known_redact

Secret = Callable[..., str]  # a secret's name and scopes  ->  its value, or Dagster's reference to it
OF_POSTGRES = "PGPASSWORD"
# of an address such as redis://user:password@host, in which clients take the last @ before the host's end, and of a
# connection string such as host=db password='…'
_PASSWORD = re.compile(r"://[^/\s:@]*:([^\s@]+(?:@[^\s@/?#,;]*)*)@|password\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&]+)")
# the secret of one account, or of one of its connections
_SCOPED = re.compile(
    "|".join(rf"{system}_([A-Z0-9]+_){{1,2}}{rest}" for system, _, rest in (name.partition("_") for name in SECRETS))
)


def secret_value(name: str, *scopes: str) -> str:
    """Return the value of a secret; blank when it is not set."""
    assert name in SECRETS, name
    return os.environ.get(env_name(name, *scopes), "")


def system_secrets(
    system: str, settings: MillpondSettings, connection: str = "", *, read: Secret = secret_value
) -> dict[str, str]:
    """Return one system's secrets by resource field; none in sandbox mode, which has its own credentials."""
    prefix = f"{system.upper()}_"
    names = [] if settings.sandbox else [name for name in SECRETS if name.startswith(prefix)]
    return {name.removeprefix(prefix).lower(): read(name, settings.account, connection) for name in names}


def secret_variables() -> list[str]:
    """Return the environment variables that hold secrets, including those of accounts and connections."""
    return [name for name in os.environ if name in SECRETS or _SCOPED.fullmatch(name)]


def know_secrets() -> None:
    """Add the secrets of the environment to what is redacted, with the passwords in addresses."""
    _know_own()
    for name in os.environ:
        if name == OF_POSTGRES:
            know(name, os.environ[name])
        elif name.startswith(PREFIXES) or name.endswith(("_PROXY", "_proxy")):
            know(f"password in {name}", *passwords_in(os.environ[name]))


def _know_own() -> None:
    """Add the variables of `SECRETS`; each of several secrets in one variable counts."""
    for name in secret_variables():
        know(name, os.environ[name], *split_list(os.environ[name]))


def passwords_in(address: str) -> tuple[str, ...]:
    """Return the passwords in an address or in a connection string of PostgreSQL, as written and decoded."""
    found = [each.strip("'") for part in _PASSWORD.findall(address) for each in part if each]
    return tuple(dict.fromkeys(chain(found, map(unquote, found), (re.sub(r"\\(.)", r"\1", each) for each in found))))


def redact(text: str) -> str:
    """Return the text with the value of each secret replaced by its name."""
    _know_own()
    return known_redact(text)
