"""`millpond new workflow`: a workflow file to begin with, from a target and a source; it is valid at once.

the shipped file of this target and source, or their keys and required fields  ->  defs.yaml, not active
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from assets.delivery.component.workflow_file import load_workflow
from assets.delivery.errors import MappingError
from assets.delivery.spec.sources import key_column
from assets.delivery.spec.yaml_file import WorkflowFileError, parse
from assets.result_texts import did_you_mean
from assets.suiteprojects.record_types import KINDS, NODE
from assets.target_registry import TARGETS, TargetKind
from assets.warehouse.record_names import CUSTOM_RECORD, RECORD_NAMES
from orchestration.cli.connector_import import as_yaml
from orchestration.cli.exit_codes import CLEAN, USAGE
from orchestration.cli.facts import with_json
from orchestration.cli.output import print_problems, print_wrapped
from orchestration.configuration.settings import ROOT, MillpondSettings
from orchestration.workflow_files import MAX_NAME
from resources.atomic_file import write_atomically

SHIPPED = ROOT / "orchestration" / "workflows"
NAME = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+|__[A-Za-z0-9]+)*")
HEADER: Final = """\
# {text}
# `millpond fields {target}` and `millpond fields {source}` list what can be mapped. Check the file with `millpond
# validate`, look at one record with `millpond preview RECORD --workflow {name}`, switch it on with `active: true`, and
# see what it would do with `millpond plan {name}`.
"""
ACTIVE_FIELDS = ("active", "enable")


class NewWorkflowError(Exception):
    """No file can be made; the text says why."""


@with_json
def new(kind: Literal["workflow"], name: str, *, target: str, source: str) -> int:  # noqa: ARG001 - a word of the command
    """Write a new workflow file that is valid at once.

    Args:
        kind: `workflow`.
        name: Name of the workflow, such as suiteprojects__prospects: its folder in MILLPOND_WORKFLOWS.
        target: What it writes, such as suiteprojects.Customer.
        source: The NetSuite records that it reads, such as customers.
    """
    try:
        path = write_workflow(MillpondSettings().workflows, name, target, source)
    except NewWorkflowError as error:
        print_problems([str(error)])
        return USAGE
    except WorkflowFileError as error:
        print_problems(str(error).splitlines())
        return USAGE
    print_wrapped(f"✓ {path}", "green")
    print_wrapped(
        f"it is not active yet; `millpond plan {name}` shows what it would do once its file has `active: true`"
    )
    return CLEAN


def write_workflow(folder: Path, name: str, target: str, source: str) -> Path:
    """Write the file of a new workflow, and load it as a run would.

    Raises:
        NewWorkflowError: The name is taken or not usable, or target or source do not exist.
        WorkflowFileError: The file would not be valid; it was not kept.
    """
    path = folder / name / "defs.yaml"
    if not NAME.fullmatch(name):
        raise NewWorkflowError(f"{name}: use letters, digits and underscores, such as suiteprojects__prospects")
    if len(name) > MAX_NAME:
        raise NewWorkflowError(f"{name[:MAX_NAME]}…: a name has at most {MAX_NAME} characters")
    if path.exists():
        raise NewWorkflowError(f"{path} exists; choose another name")
    if target not in TARGETS:
        known = ", ".join(TARGETS)
        raise NewWorkflowError(f"no target {target}; {did_you_mean(target, TARGETS)}known are {known}")
    try:
        key_column(source)
    except MappingError as error:
        raise NewWorkflowError(str(error)) from None
    text = f"{source} from NetSuite to {target}."
    header = HEADER.format(text=text, target=target, source=source, name=name)
    attributes = {"description": text, **_attributes(TARGETS[target], source)}
    write_atomically(path, as_yaml(attributes, header=header))
    try:
        load_workflow(path)
    except WorkflowFileError:
        path.unlink()
        path.parent.rmdir()
        raise
    return path


def _attributes(kind: TargetKind, source: str) -> dict[str, Any]:
    """Return the shipped file's attributes for this target and source, or the least that is valid."""
    shipped = [each for each in map(_content, sorted(SHIPPED.glob("*/defs.yaml"))) if each["target"] == kind.name]
    for each in shipped:
        if each.get("source") == source:
            return {**each, "active": False}
    options = next((each["options"] for each in shipped if "options" in each), None)
    attributes = {"target": kind.name, "active": False, **({"options": options} if options else {}), "source": source}
    return {**attributes, "fields": _rows(kind, source), "match": ["external_id"]}


def _content(path: Path) -> dict[str, Any]:
    content, _ = parse(path.read_text(encoding="utf-8"))
    attributes: dict[str, Any] = content["attributes"]
    return {name: value for name, value in attributes.items() if name != "description"}


def _rows(kind: TargetKind, source: str) -> list[Mapping[str, Any]]:
    """Return rows for our key, for the name and other required fields, and for the field that switches a record off."""
    key, _, name = RECORD_NAMES.get(source, CUSTOM_RECORD)
    value = {"sql": name} if "(" in name else {"from": name}
    if name == "nullif(concat_ws(' ', first_name, last_name), '')":
        value = {"sql": "coalesce(entity_number, concat_ws(' ', first_name, last_name))"}
    rows: list[Mapping[str, Any]] = [{"field": kind.key_field, "from": key, "locked": True}]
    required = {"name", *_required(kind)} - {kind.key_field, "depth"}
    rows += [{"field": each, **value, "required": True} for each in sorted(required) if kind.may_have(each)]
    rows += [{"field": "depth", "value": 1}] if "depth" in _required(kind) else []
    rows += [{"field": each, "value": True} for each in ACTIVE_FIELDS if kind.may_have(each)]
    return rows


def _required(kind: TargetKind) -> frozenset[str]:
    record = kind.name.partition(".")[2]
    return NODE.required if record == "HierarchyNode" else KINDS[record].required if record in KINDS else frozenset()
