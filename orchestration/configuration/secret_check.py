"""The form of secrets, checked before anything starts: a blank or short one would let anyone in.

environment  ->  check_secrets()  ->  trimmed values, or a SettingsError with a line per variable
"""

import os
import re
from collections.abc import Callable, Iterator

from orchestration.configuration.secret_settings import secret_variables
from orchestration.configuration.settings import split_list
from orchestration.configuration.settings_error import SettingsError

MIN_TOKEN = 16  # characters of the UI's token and of keys of our own choice
MIN_WEBHOOK_SECRET = 32
NEW = "make one with `python -c 'import secrets; print(secrets.token_urlsafe(32))'`"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PASSWORDS = ("PASSWORD",)  # may begin or end with a space, and have any letter
_LISTS = ("MILLPOND_ENCRYPTION_KEY", "MILLPOND_LEDGER_KEY", "MILLPOND_WEBHOOK_SECRETS")


def check_secrets() -> None:
    """Trim the secrets of the environment.

    Raises:
        SettingsError: One cannot be used, or is too short; the text names the variable, never its value.
    """
    problems = []
    for name in secret_variables():
        value = os.environ[name]
        if not name.endswith(_PASSWORDS) and value != value.strip():
            value = value.strip()
            problems += [] if value else [f"{name}: only spaces; set it, or remove the line"]
            os.environ[name] = value
        problems += [f"{name}: {text}" for text in _problems(name, value)] if value else []
    if problems:
        raise SettingsError("\n".join(problems))


def _problems(name: str, value: str) -> Iterator[str]:
    if found := _CONTROL.search(value):
        what = "a line break" if found[0] in "\r\n\u2028\u2029" else "a control character"
        yield f"contains {what} after {found.start()} characters; copy it again, on one line"
    elif not name.endswith(_PASSWORDS) and not value.isascii():
        yield "contains a non-ASCII character, such as a typographic quote or dash; copy it again"
    elif " " in value and not name.endswith(_PASSWORDS) and name not in _LISTS:
        yield "contains a space; copy it again"
    elif name in _RULES:
        yield from _RULES[name](value)


def _at_least(characters: int) -> Callable[[str], Iterator[str]]:
    def check(value: str) -> Iterator[str]:
        if any(len(each) < characters for each in split_list(value) or [""]):
            yield f"shorter than {characters} characters, so it could be guessed; {NEW}"

    return check


def _is_key(value: str) -> Iterator[str]:
    from resources.encryption import Cipher, EncryptionError  # late: every command checks, few have a key

    try:
        Cipher(value)
    except EncryptionError as error:
        yield str(error).removeprefix("MILLPOND_ENCRYPTION_KEY ")


def _is_signing_key(value: str) -> Iterator[str]:
    from resources.signing import Signer, SigningKeyError  # late: every command checks, few have a key

    try:
        Signer(value)
    except SigningKeyError as error:
        yield str(error).removeprefix("MILLPOND_LEDGER_KEY ")


_RULES: dict[str, Callable[[str], Iterator[str]]] = {
    "MILLPOND_UI_TOKEN": _at_least(MIN_TOKEN),
    "MILLPOND_ALERT_WEBHOOK_KEY": _at_least(MIN_TOKEN),
    "MILLPOND_WEBHOOK_SECRETS": _at_least(MIN_WEBHOOK_SECRET),
    "MILLPOND_ENCRYPTION_KEY": _is_key,
    "MILLPOND_LEDGER_KEY": _is_signing_key,
}
