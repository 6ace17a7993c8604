"""Load the user's files; a file that cannot be used is reported and does not affect the others.

workflows/<workflow>/defs.yaml, workflows/groups.yaml  ->  UserFiles
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assets.delivery.component.workflow_file import load_workflow
from assets.delivery.spec.dependencies import unmet_dependencies
from assets.delivery.spec.switches import Switches
from assets.delivery.spec.workflow import Workflow
from assets.delivery.spec.yaml_file import WorkflowFileError
from orchestration.automation.groups import GroupsFile, load_groups
from orchestration.configuration.settings import MillpondSettings

MAX_NAME = 100  # characters of a workflow's name: it is part of folders, files and tables


@dataclass(frozen=True)
class UserFiles:
    """One folder of workflow files.

    Attributes:
        broken: The problems of every other file, by workflow name: one line `file:line: field: problem` each.
    """

    workflows: Sequence[Workflow]
    broken: Mapping[str, str]
    groups: GroupsFile

    @property
    def problems(self) -> list[str]:
        """Every problem of every file, one line each."""
        return [*(line for text in self.broken.values() for line in text.splitlines()), *self.groups.problems]


def load_user_files(folder: Path) -> UserFiles:
    """Load all workflow files of a folder and its groups.yaml."""
    workflows, broken = load_workflows(folder)
    return UserFiles(workflows, broken, load_groups(folder, [*(each.name for each in workflows), *broken]))


def load_workflows(folder: Path) -> tuple[list[Workflow], dict[str, str]]:
    """Load all workflow files of a folder; return the usable workflows, and the problems of the others by name."""
    workflows, broken = [], {}
    for path in sorted(folder.glob("*/defs.yaml")):
        try:
            workflows.append(load_workflow(path))
        except WorkflowFileError as error:
            broken[path.parent.name] = str(error)
    unmet = unmet_dependencies(workflows, folder)
    return [each for each in workflows if each.name not in unmet], {**broken, **unmet}


def runnable_workflows(workflows: Sequence[Workflow], settings: MillpondSettings) -> set[str]:
    """Return the workflows that runs include: those active in their file, and those that an operator ever switched.

    The latter stay in the jobs also while they are off: a run checks their state in time.
    """
    switched = {
        name
        for account in settings.per_account
        for name, override in Switches(account.warehouse).overrides().items()
        if override.active is not None
    }
    return switched | {each.name for each in workflows if each.spec.active}
