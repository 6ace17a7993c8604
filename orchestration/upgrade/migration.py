"""A migration: everything that changes a home from one schema version to the next."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.upgrade.yaml_names import Names

Attributes = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One numbered step; each part can be repeated after an interruption and then changes nothing.

    The converters of tables and of the instance import DuckDB and Dagster when they are called: every command checks
    the migrations, and few run one.

    Attributes:
        version: The schema version that it makes.
        release: The version of Millpond that it came with.
        variables: Old to new names of settings.
        workflow_file: Renames of a workflow file, by its text; none for a file that is not of the version before.
        groups_file: Renames of groups.yaml.
        former_workflow: Returns a workflow's attributes under the names of the version before.
        former_fingerprints: Returns the fingerprints that the version before may have stored, by a workflow's name and
            attributes: several where a shipped file was reworded.
        finds_old_files: Whether a home has files of the version before.
        old_files: The files of a home that the migration changes.
        locks: The files that processes of the version before lock while they write.
        shared_locks: The same in a DuckLake, whose locks cannot be listed.
        convert_files: Converts a home's files; yields a line for each.
        convert_tables: Converts the tables of an open transaction (DuckDBPyConnection); yields lines.
        convert_instance: Converts Dagster's instance (DagsterInstance); yields lines.
    """

    version: int
    release: str
    variables: Mapping[str, str]
    workflow_file: Callable[[str], Names]
    groups_file: Names
    former_workflow: Callable[[Attributes], Attributes]
    former_fingerprints: Callable[[str, Attributes], Iterable[str]]
    finds_old_files: Callable[[Path], bool]
    old_files: Callable[[Path], Iterable[Path]]
    locks: Callable[[Path], Iterable[Path]]
    shared_locks: Iterable[str]
    convert_files: Callable[[Path], Iterable[str]]
    convert_tables: Callable[[Any], Iterable[str]]
    convert_instance: Callable[[Any], Iterable[str]]
