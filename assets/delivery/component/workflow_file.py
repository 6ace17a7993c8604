"""Read a workflow file and check it against its target and the staging tables; plain Python, for every command.

<folder>/<workflow>/defs.yaml  ->  load_workflow()  ->  Workflow, or a WorkflowFileError with file and line
"""

import re
from collections.abc import Iterator
from pathlib import Path

from assets.delivery.spec.identity import identity_problems
from assets.delivery.spec.loader import read_workflow, workflow_file_error
from assets.delivery.spec.validation import Schemas, mismatches
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.spec.yaml_file import Problem, WorkflowFileError, below
from assets.target_registry import TARGETS, TargetKind
from assets.warehouse.staging_schemas import staging_schemas

_NAME = re.compile(r"[A-Za-z0-9_]+")


def load_workflow(path: Path) -> Workflow:
    """Read and validate `<folder>/<workflow>/defs.yaml`; WorkflowFileError if the file is not valid."""
    name = path.parent.name
    if not _NAME.fullmatch(name):
        raise WorkflowFileError(f"{path}: the folder names the workflow: use letters, digits and underscores only")
    spec = read_workflow(path)
    kind = TARGETS.get(spec.target)
    if kind is None:
        text = f"no target `{spec.target}`; targets are {', '.join(sorted(TARGETS))}"
        raise workflow_file_error(path, [(("target",), text)])
    keyless = [each.source for each in spec.records if kind.key_field not in {row.field for row in each.rows}]
    if keyless:
        text = f"no active row of {', '.join(keyless)} fills `{kind.key_field}`, our key in the target"
        raise workflow_file_error(path, [(("fields" if spec.source else "records",), text)])
    tables = staging_schemas(*spec.on_demand_sources)
    found = [
        *_unsupported(spec, kind),
        *_identity(spec, kind),
        *mismatches(spec, Schemas(tables, kind.may_have, kind.may_look_up, kind.excluded_by)),
    ]
    if found:
        raise workflow_file_error(path, found)
    return Workflow(name, spec)


def _identity(spec: WorkflowSpec, kind: TargetKind) -> Iterator[Problem]:
    """Yield the problems of the rows of the records' keys."""
    for number, record in enumerate(spec.records):
        yield from below(() if spec.source else ("records", number), identity_problems(record, kind.key_field))


def _unsupported(spec: WorkflowSpec, kind: TargetKind) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what the file asks of the target that it cannot do."""
    if kind.max_level and (spec.max_level or 0) > kind.max_level:
        yield ("max_level",), f"{kind.system} has at most {kind.max_level} levels; lower it"
    if spec.connection and not kind.connections:
        yield ("connection",), f"{kind.system} has a single account; leave `connection` out"
