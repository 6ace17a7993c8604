"""`millpond import-mapping`: workflow files from a mapping export of Oracle's connector.

FILE  ->  <folder>/<workflow>/defs.yaml, validated; and what could not be converted, with the reason
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from assets.delivery.component.workflow_file import load_workflow
from assets.delivery.spec.yaml_file import WorkflowFileError
from assets.suiteprojects.connector_import.export_file import ExportError
from assets.suiteprojects.connector_import.mapping_export import ConvertedWorkflow, read_export
from assets.suiteprojects.connector_import.rows import NotConverted
from orchestration.cli.facts import with_json
from orchestration.cli.output import print_line, print_problems, print_wrapped

HEADER = """\
# From a mapping export of Oracle's NetSuite Connector. The export contains rows and filters only: the settings
# `select`, `match` and `lifecycle` below are the connector's documented defaults (records that left are not changed).
"""


@with_json
def import_mapping(file: Path, *, into: Path = Path("imported_workflows"), replace: bool = False) -> int:
    """Convert a mapping export of Oracle's connector.

    Args:
        file: The export: JSON, with advanced notation and filters. What cannot be converted is printed with its place.
        into: Folder for the workflow files; review them, then move them to MILLPOND_WORKFLOWS.
        replace: Overwrite existing files.
    """
    try:
        workflows, omitted = read_export(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        return _unusable(f"{file}: {error.strerror}")
    except UnicodeDecodeError:
        return _unusable(f"{file}: the file must be UTF-8")
    except ExportError as error:
        return _unusable(f"{file}: {error}")
    existing = [path for each in workflows if (path := into / each.name / "defs.yaml").exists()]
    if existing and not replace:
        return _unusable(f"{existing[0]} exists: choose another folder with --into, or add --replace")
    problems = [problem for each in workflows for problem in _write(each, into)]
    not_converted = [*omitted, *(one for each in workflows for one in each.not_converted)]
    for one in not_converted:
        print_wrapped(f"not converted: {one.place}: {one.reason}", "yellow")
    print_problems(problems)
    if not workflows:
        print_problems([f"{file}: the export has no mapping that Millpond supports"])
    return 1 if problems or not_converted or not workflows else 0


def _unusable(problem: str) -> int:
    print_problems([problem])
    return 2


def _write(converted: ConvertedWorkflow, into: Path) -> list[str]:
    """Write one file, and load it as a run would; return its problems."""
    path = into / converted.name / "defs.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_yaml(converted.attributes, converted.not_converted), encoding="utf-8")
    try:
        workflow = load_workflow(path)
    except WorkflowFileError as error:
        return str(error).splitlines()
    print_line(f"✓ {path}: {len(workflow.spec.target_fields)} fields to {workflow.spec.target}", "green")
    return []


def as_yaml(attributes: dict[str, Any], not_converted: Sequence[NotConverted] = (), header: str = HEADER) -> str:
    """Return a workflow file with a line per row, as a person would write it."""
    lines = [header]
    if not_converted:
        reasons = (_printable(f"{each.place}: {each.reason}") for each in not_converted)
        lines += ["# Not converted:", *(f"#   {reason}" for reason in reasons), ""]
    lines += ["type: assets.components.SyncWorkflow", "", "attributes:"]
    for name, value in attributes.items():
        if name in {"fields", "match"}:
            lines += ["", f"  {name}:", *(f"    - {_flow(row)}" for row in value)]
        else:
            lines.append(f"  {_flow({name: value})[1:-1]}")
    return "\n".join(lines) + "\n"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _flow(value: Any) -> str:
    if isinstance(value, str):
        return _flow([value])[1:-1]
    dumped = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, width=1_000_000, allow_unicode=True, sort_keys=False
    )
    return str(dumped).strip()


class _Dumper(yaml.SafeDumper):
    """Keeps a row on its line: text with line breaks is escaped."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _represent)
