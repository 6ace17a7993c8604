"""The base of all settings: a refusal is one line per variable, and spaces around a value are ignored."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestration.configuration.settings_error import SettingsError
from resources.warehouse.column_classes import parse_classes, parse_days

ACCOUNT_ID = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)?")
HOST_OF_ACCOUNT = re.compile(r"([a-z]*\d[a-z0-9]*(?:-[a-z0-9]+)?)\.[\w.]*netsuite\.com")
UNUSABLE = re.compile(r"\?|\\|%[0-9A-Fa-f]{2}")  # what Dagster's SQLite addresses and DuckDB read as something else


class Settings(BaseSettings):
    """Settings from variables with one prefix."""

    model_config = SettingsConfigDict(env_ignore_empty=True, allow_inf_nan=False, validate_default=True)

    def __init__(self, **given: Any) -> None:
        """Read the variables.

        Raises:
            SettingsError: One of them cannot be used; the text has a line for each, without values.
        """
        try:
            super().__init__(**given)
        except ValidationError as error:
            prefix = given.get("_env_prefix", type(self).model_config["env_prefix"])
            lines = [f"{prefix}{each['loc'][0]}".upper() + f": {_reason(each['msg'])}" for each in error.errors()]
            raise SettingsError("\n".join(lines)) from None

    @model_validator(mode="before")
    @classmethod
    def _without_spaces(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Ignore spaces around values; a value of spaces alone is blank, and a blank one means the default."""
        stripped = {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}
        return {name: value for name, value in stripped.items() if value != ""}


def account_id(given: str) -> str:
    """Return NetSuite's account id as NetSuite writes it: `1234567-sb1` is `1234567_SB1`.

    Raises:
        ValueError: It is not an account id.
    """
    spelled = given.upper().replace("-", "_")
    if not given or ACCOUNT_ID.fullmatch(spelled):
        return spelled
    address = given if "//" in given else f"//{given}"
    host = HOST_OF_ACCOUNT.fullmatch((urlsplit(address).hostname or "").lower())
    if host:
        raise ValueError(f"this is an address; the account id in it is {account_id(host[1])}")
    fix = "Setup > Company > Company Information shows the id, such as 1234567 or 1234567_SB1"
    raise ValueError(f"{'this is an address' if '//' in given else 'not an account id'}; {fix}")


def usable_home(given: Path) -> Path:
    """Return the folder, with `~` expanded; ValueError if Dagster or DuckDB would keep its files elsewhere."""
    home = given.expanduser()
    found = UNUSABLE.search(str(home.absolute()))
    if found:
        raise ValueError(f"the path contains {found[0]}, which the files in it cannot have; choose another folder")
    return home


def _reason(message: str) -> str:
    """Pydantic's message as the end of a sentence."""
    text = message.removeprefix("Value error, ")
    begin = text[:1] if text[:2].isupper() else text[:1].lower()  # the name of a variable stays as it is
    return f"{begin}{text[1:]}; see .env.example"


def valid_classes(text: str) -> str:
    """Return the classes of columns as they are, if each is one; ValueError if a part is not column=class."""
    parse_classes(text)
    return text


def valid_retention(text: str) -> str:
    """Return the days by class as they are, if each is one; ValueError if a part is not of the form class=days."""
    parse_days(text, 0)
    return text
