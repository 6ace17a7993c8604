"""Read a workflow file.

orchestration/workflows/<workflow>/defs.yaml  ->  read_workflow()  ->  WorkflowSpec, or a WorkflowFileError
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from assets.delivery.spec.workflow_spec import WorkflowSpec
from assets.delivery.spec.yaml_file import Problem, WorkflowFileError, YamlFile

ATTRIBUTES = "attributes"  # the key below which the file holds the workflow, as for every Dagster component
COMPONENT = "assets.components.SyncWorkflow"  # by this name Dagster and editors know what the file holds
# Dagster's other keys in the file of a component (`requirements`, `post_processing` …) would have no effect here
BESIDE = ("type", ATTRIBUTES)


def read_workflow(path: Path) -> WorkflowSpec:
    """Read and validate one workflow file; WorkflowFileError if the file is not YAML, or not a workflow."""
    file = YamlFile.read(path, (ATTRIBUTES,))
    content = file.content.get(ATTRIBUTES) if isinstance(file.content, Mapping) else None
    if not isinstance(content, Mapping):
        raise WorkflowFileError(f"{path}:1: the file needs `type:` and `attributes:`; see the shipped workflows")
    if misplaced := [name for name in file.content if name not in BESIDE]:
        raise replace(file, root=()).error(((str(name),), _misplaced_text(str(name))) for name in misplaced)
    if file.content.get("type") != COMPONENT:
        raise replace(file, root=()).error([(("type",), f"write `type: {COMPONENT}`")])
    return file.validate(WorkflowSpec, content)


def _misplaced_text(name: str) -> str:
    if similar := get_close_matches(name, BESIDE, 1):
        return f"unknown key; did you mean `{similar[0]}`?"
    return f"not a key beside `{ATTRIBUTES}`: indent it, so that it is below"


def workflow_file_error(path: Path, problems: Iterable[Problem]) -> WorkflowFileError:
    """Return the error for a workflow file that was read but cannot be used; locations are below `attributes`."""
    return YamlFile.read(path, (ATTRIBUTES,)).error(problems)
