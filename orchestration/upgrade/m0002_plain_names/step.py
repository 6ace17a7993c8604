"""The parts of the migration, put together."""

from collections.abc import Iterable, Iterator
from typing import Any

from orchestration.upgrade.m0002_plain_names.files import convert_files, finds_old_files, locks, old_files
from orchestration.upgrade.m0002_plain_names.names import (
    GROUPS_FILE,
    OLD_COMPONENT,
    SHIPPED_DESCRIPTIONS,
    VARIABLES,
    WORKFLOW,
    WORKFLOW_FILE,
)
from orchestration.upgrade.m0002_plain_names.workflow_0_1 import fingerprint_0_1
from orchestration.upgrade.migration import Attributes, Migration
from orchestration.upgrade.yaml_names import Names, former


def _workflow_file(text: str) -> Names:
    """The renames of a file of 0.1, whose component is the old one; `rows` of a guard is a name of 0.2 as well."""
    return WORKFLOW_FILE if OLD_COMPONENT in text else Names()


def _former_workflow(attributes: Attributes) -> Attributes:
    renamed: Attributes = former(attributes, WORKFLOW)
    return renamed


def _former_fingerprints(workflow: str, attributes: Attributes) -> Iterator[str]:
    yield fingerprint_0_1(attributes)
    if workflow in SHIPPED_DESCRIPTIONS:
        yield fingerprint_0_1({**attributes, "description": SHIPPED_DESCRIPTIONS[workflow]})


def _convert_tables(con: Any) -> Iterable[str]:
    from orchestration.upgrade.m0002_plain_names.tables import convert_tables

    return convert_tables(con)


def _convert_instance(instance: Any) -> Iterable[str]:
    from orchestration.upgrade.m0002_plain_names.instance import convert_instance

    return convert_instance(instance)


PLAIN_NAMES = Migration(
    version=2,
    release="0.2.0",
    variables=VARIABLES,
    workflow_file=_workflow_file,
    groups_file=GROUPS_FILE,
    former_workflow=_former_workflow,
    former_fingerprints=_former_fingerprints,
    finds_old_files=finds_old_files,
    old_files=old_files,
    locks=locks,
    shared_locks=("stage.duckdb", "suiteprojects", "precoro"),
    convert_files=convert_files,
    convert_tables=_convert_tables,
    convert_instance=_convert_instance,
)
