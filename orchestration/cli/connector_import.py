"""Turn a mapping export of Oracle's connector into workflow files.

millpond import-mapping FILE  ->  <folder>/<workflow>/defs.yaml, checked; and what could not be carried over, with why
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from assets.delivery.component.component import load_workflow
from assets.delivery.spec.loader import WorkflowFileError
from assets.suiteprojects.connector_import.mapping_export import ExportError, Imported, read_export
from assets.suiteprojects.connector_import.rows import Left
from orchestration.cli.output import print_problems

HEAD = """\
# From a mapping export of Oracle's NetSuite Connector. The export holds rows and filters only: the settings `select`,
# `match` and `lifecycle` below are the connector's documented defaults (a record that left stays as it is there).
"""


def import_mapping(file: Path, into: Path, console: Console, *, replace: bool) -> int:
    """Write the workflow files and print what was left out; returns the exit code: 1 when something was."""
    try:
        workflows, left = read_export(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        return _told(f"{file}: {error.strerror}", console)
    except UnicodeDecodeError:
        return _told(f"{file}: the file must be UTF-8", console)
    except ExportError as error:
        return _told(f"{file}: {error}", console)
    there = [path for each in workflows if (path := into / each.name / "defs.yaml").exists()]
    if there and not replace:
        return _told(f"{there[0]} is there already: choose another folder with --into, or say --replace", console)
    problems = [problem for each in workflows for problem in _written(each, into, console)]
    everything = [*left, *(one for each in workflows for one in each.left)]
    for one in everything:
        console.print(f"not carried over: {one.place}: {one.why}", style="yellow", markup=False, soft_wrap=True)
    print_problems(problems, console)
    if not workflows:
        console.print("no workflow came of it", style="red")
    return 1 if problems or everything or not workflows else 0


def _told(problem: str, console: Console) -> int:
    print_problems([problem], console)
    return 2


def _written(imported: Imported, into: Path, console: Console) -> list[str]:
    """Write one file and read it back as a run would; what is wrong with it."""
    path = into / imported.name / "defs.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_yaml(imported.attributes, imported.left), encoding="utf-8")
    try:
        workflow = load_workflow(path)
    except WorkflowFileError as error:
        return str(error).splitlines()
    told = f"✓ {path}: {len(workflow.spec.columns)} fields to {workflow.spec.target}"
    console.print(told, style="green", markup=False, highlight=False, soft_wrap=True)
    return []


def as_yaml(attributes: dict[str, Any], left: Sequence[Left]) -> str:
    """A workflow file as a person would write it: a line for each row."""
    lines = [HEAD]
    if left:
        lines += ["# Not carried over:", *(f"#   {_one_line(f'{each.place}: {each.why}')}" for each in left), ""]
    lines += ["type: assets.delivery.component.component.SyncWorkflow", "", "attributes:"]
    for name, value in attributes.items():
        if name in {"fields", "match"}:
            lines += ["", f"  {name}:", *(f"    - {_flow(row)}" for row in value)]
        else:
            lines.append(f"  {_flow({name: value})[1:-1]}")
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _flow(value: Any) -> str:
    if isinstance(value, str):
        return _flow([value])[1:-1]
    dumped = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, width=1_000_000, allow_unicode=True, sort_keys=False
    )
    return str(dumped).strip()


class _Dumper(yaml.SafeDumper):
    """A row stays on its line: a text that breaks one is written with escapes."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _represent)
