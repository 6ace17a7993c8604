"""Settings under their old names: in .env they are renamed, in the environment a person has to.

.env  ->  environment of this process at import of the settings  ->  adopt()  ->  the same under the new names
"""

import os
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from orchestration.configuration.env_file import read_env_file
from orchestration.upgrade.errors import UpgradeError


def refuse_old_variables(names: Mapping[str, str], file: Path | None) -> None:
    """Stop if the environment itself, not .env, sets variables under old names.

    Raises:
        UpgradeError: The text lists old and new names.
    """
    old = [name for name in _set(names) if not _is_from(file, name, names[name]) and not os.environ.get(names[name])]
    if old:
        listed = ", ".join(f"{name} (now {names[name]})" for name in old)
        fix = "rename them where they are set: in the shell, the service unit, or the deployment"
        raise UpgradeError(f"the environment sets variables under names of an earlier version: {listed}; {fix}")


def adopt(names: Mapping[str, str], file: Path | None) -> None:
    """Give this process the settings of an old .env file under the new names; the environment wins."""
    for name in _set(names):
        if _is_from(file, name, names[name]):
            os.environ.setdefault(names[name], os.environ[name])
        del os.environ[name]


def _set(names: Mapping[str, str]) -> list[str]:
    """The old names with a value; a blank one means the default, so it is harmless."""
    return [name for name in names if os.environ.get(name)]


def _is_from(file: Path | None, old: str, new: str) -> bool:
    """Return whether a value is from .env, in which another process may have renamed it meanwhile."""
    values = dotenv_values(stream=StringIO(read_env_file(file))) if file else {}
    return os.environ[old] in {values.get(old), values.get(new)}
