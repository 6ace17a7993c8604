"""The files that people edit: workflow files, groups.yaml and .env.

files with old names  ->  user_changes()  ->  [FileChange]  ->  write_changes(), after a copy of each
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from assets.result_texts import counted
from orchestration.upgrade.copies import Copies
from orchestration.upgrade.errors import UpgradeError
from orchestration.upgrade.migration import Migration
from orchestration.upgrade.yaml_names import Edit, Names, apply, edits_of
from resources.atomic_file import write_atomically


@dataclass(frozen=True)
class FileChange:
    """One file to change.

    Attributes:
        path: The file.
        copy: Path of its copy within the folder of copies.
        text: Its new content.
        edits: The renames, in order.
    """

    path: Path
    copy: str
    text: str
    edits: Sequence[Edit]

    @property
    def lines(self) -> list[str]:
        """`file:line: old -> new` of every rename."""
        return [f"{self.path}:{edit.line}: {edit.old} -> {edit.new}" for edit in self.edits]

    @property
    def is_writable(self) -> bool:
        """True if the file can be replaced."""
        return os.access(self.path, os.W_OK) and os.access(self.path.resolve().parent, os.W_OK)


def user_changes(workflows: Path, env_file: Path | None, migrations: Sequence[Migration]) -> list[FileChange]:
    """Return the changes that all migrations together make to .env, groups.yaml and workflow files.

    Raises:
        UpgradeError: .env sets a variable under its old name and under its new one.
    """
    paths = [workflows / "groups.yaml", *sorted(workflows.glob("*/defs.yaml"))]
    found = [
        _yaml_change(path, f"workflows/{path.relative_to(workflows)}", [_renames(each, path) for each in migrations])
        for path in paths
    ]
    variables = {old: new for each in migrations for old, new in each.variables.items()}
    return [each for each in (_env_change(env_file, variables) if env_file else None, *found) if each]


def _renames(migration: Migration, path: Path) -> Callable[[str], Names]:
    """The renames of a file, by its text."""
    return (lambda _: migration.groups_file) if path.name == "groups.yaml" else migration.workflow_file


def _yaml_change(path: Path, copy: str, renames: Sequence[Callable[[str], Names]]) -> FileChange | None:
    """Return the change that gives a YAML file the new names; None if it has them, or is not YAML."""
    made: list[Edit] = []
    try:
        text = path.read_bytes().decode()  # line ends stay as they are
        for names_of in renames:
            edits = edits_of(text, names_of(text))
            text, made = apply(text, edits), [*made, *edits]
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None  # reported by `millpond validate`, with file and line
    return FileChange(path, copy, text, made) if made else None


def _env_change(path: Path, names: Mapping[str, str]) -> FileChange | None:
    """Return the change that gives the variables of a .env file their new names; None if they have them.

    Commented-out settings are renamed as well, and `${NAME}` in values.
    """
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None
    edits = []
    for found in re.finditer(r"^[ \t#]*(?:export[ \t]+)?([A-Z_0-9]+)[ \t]*=|\$\{([A-Z_0-9]+)", text, re.MULTILINE):
        name = found[1] or found[2]
        if name in names:
            start, end = found.span(1 if found[1] else 2)
            edits.append(Edit(start, end, text.count("\n", 0, start) + 1, name, names[name]))
    _refuse_both(path, text, names)
    return FileChange(path, ".env", apply(text, edits), edits) if edits else None


def _refuse_both(path: Path, text: str, names: Mapping[str, str]) -> None:
    assigned = set(re.findall(r"^[ \t]*(?:export[ \t]+)?([A-Z_0-9]+)[ \t]*=", text, re.MULTILINE))
    both = [f"{old} and {new}" for old, new in names.items() if {old, new} <= assigned]
    if both:
        raise UpgradeError(
            f"{path}: it sets {', '.join(both)}, the old and the new name of a setting; remove the old one"
        )


def refuse_read_only(changes: Sequence[FileChange]) -> None:
    """Stop before anything is changed if a file cannot be written.

    Raises:
        UpgradeError: The text lists each rename with file and line.
    """
    blocked = [line for change in changes if not change.is_writable for line in change.lines]
    if blocked:
        reason = "files with names of an earlier version cannot be written; rename manually, or make them writable:"
        raise UpgradeError("\n".join([reason, *blocked]))


def write_changes(changes: Sequence[FileChange], copies: Copies) -> Iterator[str]:
    """Copy and replace each file; yield what was done, one line each.

    Raises:
        UpgradeError: A file cannot be replaced; it is unchanged.
    """
    for change in changes:
        path = change.path.resolve()  # a symbolic link stays one
        try:
            copies.keep(path, change.copy)
            replace_text(path, change.text)
        except OSError as error:
            text = "\n".join(change.lines)
            raise UpgradeError(
                f"{path}: {error.strerror}; let this user write it, or rename manually:\n{text}"
            ) from error
        first = change.edits[0]
        yield f"{change.path}: {counted(len(change.edits), 'names')}, such as {first.old} -> {first.new}"


def replace_text(path: Path, text: str) -> None:
    """Replace a file's text; its permissions and its owner stay.

    Raises:
        OSError: It cannot be replaced; it is unchanged.
    """
    status = path.stat()
    write_atomically(path, text, mode=0o600)
    path.chmod(status.st_mode & 0o777)
    with suppress(PermissionError):
        os.chown(path, status.st_uid, status.st_gid)
