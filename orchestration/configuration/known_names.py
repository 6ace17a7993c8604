"""The names of all settings, and variables that look like settings but are not.

environment, .env  ->  unknown_names()  ->  `MILLPOND_MOD is not a setting; did you mean MILLPOND_MODE?`
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches

from orchestration.configuration.env_file import PREFIXES
from orchestration.configuration.secret_names import SECRETS
from orchestration.configuration.settings import SETTINGS, MillpondSettings, env_name

# read by orchestration/deploy
DEPLOYMENT = ("MILLPOND_DB_HOST", "MILLPOND_DB_NAME", "MILLPOND_DB_USER", "MILLPOND_DB_PASSWORD")
# variables that Kubernetes sets in every container beside a service named millpond
SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT)(_\w+)?|_PORT(_\d+_(TCP|UDP)(_\w+)?)?")
SIMILAR, SAME_PREFIX = 0.85, 0.6  # how close a suggestion must be, by whether the prefix is one of ours


def setting_names() -> frozenset[str]:
    """Return the names of all settings, secrets included, of an unnamed account."""
    fields = (f"{each.model_config['env_prefix']}{name}".upper() for each in SETTINGS for name in each.model_fields)
    return frozenset({*fields, *SECRETS})


def unknown_names(names: Iterable[str], settings: MillpondSettings) -> list[str]:
    """Return a line for each variable that looks like a setting and is not read."""
    readable, connected = sorted({*_readable(settings), *DEPLOYMENT}), _connected(settings)
    unknown = [each for each in sorted(set(names)) if not (_is_read(each, readable) or connected.fullmatch(each))]
    return [line for name in unknown for line in _line(name, readable)]


def _readable(settings: MillpondSettings) -> Iterator[str]:
    """Every variable that is read; with named accounts, those of a system have the account in their name."""
    for name in setting_names():
        scopes = settings.account_names if not name.startswith("MILLPOND_") else ()
        yield from (env_name(name, account) for account in scopes or ("",))


def _connected(settings: MillpondSettings) -> re.Pattern[str]:
    """The variables of Precoro's connections, whatever their names, such as PRECORO_UK_TOKEN."""
    rests = "|".join(name.removeprefix("PRECORO_") for name in setting_names() if name.startswith("PRECORO_"))
    accounts = "|".join(f"{name.upper()}_" for name in settings.account_names)
    return re.compile(rf"PRECORO_(?:{accounts})[A-Z0-9]+_(?:{rests})")


def _is_read(name: str, readable: Collection[str]) -> bool:
    """Return whether it is read: settings in any case, secrets only as they are spelled."""
    return name in readable or (name.upper() in readable and name.upper() not in SECRETS)


def _line(name: str, readable: Sequence[str]) -> Iterator[str]:
    spelled = name.upper()
    prefix = next((each for each in PREFIXES if spelled.startswith(each)), "")
    if prefix and SERVICE_LINK.search(name):
        return
    rests = [each.removeprefix(prefix) for each in readable if each.startswith(prefix)]
    close = get_close_matches(spelled.removeprefix(prefix), rests, 1, SAME_PREFIX if prefix else SIMILAR)
    if close:
        yield f"{name} is not read; did you mean {prefix}{close[0]}?"
    elif prefix:
        yield f"{name} is not read; .env.example lists the settings"
