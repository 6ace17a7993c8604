"""The .env file: found, decoded and checked before its variables reach the environment.

.env in this folder or one above it  ->  load_env_file()  ->  the environment, or a SettingsError with file and line
"""

import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from dotenv import find_dotenv, load_dotenv
from dotenv.parser import parse_stream

from orchestration.configuration.settings_error import SettingsError

PREFIXES = ("MILLPOND_", "NETSUITE_", "SUITEPROJECTS_", "PRECORO_")  # of all variables that Millpond reads
LINE_ENDS = "\r\n"


def find_env_file() -> Path | None:
    """Return the .env file of this folder or of one above it; None if there is none.

    Raises:
        SettingsError: The current folder no longer exists.
    """
    try:
        found = find_dotenv(usecwd=True)
    except FileNotFoundError:
        raise SettingsError("the current folder no longer exists; change to another one") from None
    return Path(found) if found else None


def load_env_file() -> None:
    """Add the variables of .env to the environment, whose own ones take precedence.

    Raises:
        SettingsError: The file cannot be used.
    """
    file = find_env_file()
    if file is not None:
        load_dotenv(stream=StringIO(read_env_file(file)))
    for name, value in os.environ.items():  # the value of a file often ends with a line break
        if name.startswith(PREFIXES) and value != value.strip(LINE_ENDS):
            os.environ[name] = value.strip(LINE_ENDS)


def read_env_file(file: Path) -> str:
    """Return the text of a .env file in which every line can be used.

    Raises:
        SettingsError: It cannot be read, is not UTF-8, or has a line that sets nothing or a variable twice.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}; let this user read it") from None
    text = _decoded(file, content)
    problems = [f"{file}:{line}: {problem}" for line, problem in _problems(text)]
    if problems:
        raise SettingsError("\n".join(problems))
    return text


def env_file_names(file: Path | None) -> list[str]:
    """Return the names of the variables in a .env file."""
    bindings = parse_stream(StringIO(read_env_file(file))) if file else ()
    return [each.key for each in bindings if each.key]


def _decoded(file: Path, content: bytes) -> str:
    """The text; a byte-order mark of UTF-8 is skipped."""
    if b"\0" in content or content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SettingsError(f"{file}: not UTF-8, but probably UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{file}:{line}: not UTF-8, but perhaps Latin-1; save it as UTF-8") from None


def _problems(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of each problem; values are not repeated, as they may be secrets."""
    first: dict[str, tuple[int, str | None]] = {}
    for binding in parse_stream(StringIO(text)):
        line, name = _line(binding.original.line, binding.original.string), binding.key or ""
        if binding.error:
            yield line, "not of the form NAME=value; check the name, the equals sign and the quotes"
        elif name.startswith(PREFIXES) and binding.value is None:
            yield line, f"{name} has no value; write {name}=value"
        elif name.startswith(PREFIXES):
            before, value = first.setdefault(name, (line, binding.value))
            if value != binding.value:
                yield line, f"{name} has another value in line {before}; remove one of them"


def _line(start: int, text: str) -> int:
    """The line of the statement itself, without the blank lines before it."""
    return start + text[: len(text) - len(text.lstrip())].count("\n")
