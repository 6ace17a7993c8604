"""`millpond rename`: give a workflow another name; links, history and waiting plans move along."""

from assets.delivery.errors import SyncError
from orchestration.authorization import require_approver
from orchestration.cli.exit_codes import CLEAN, USAGE
from orchestration.cli.facts import with_json
from orchestration.cli.output import print_problems, print_wrapped
from orchestration.configuration.settings import MillpondSettings
from orchestration.configuration.settings_error import SettingsError
from orchestration.renaming.perform import rename_workflow
from resources.warehouse.warehouse import WarehouseError


@with_json
def rename(old: str, new: str) -> int:
    """Rename a workflow: its file, tables, links, history and plans.

    Args:
        old: The workflow's name.
        new: Its new name, of letters, digits and underscores. Files that refer to the workflow are changed as well.
    """
    try:
        require_approver()
        rename_workflow(MillpondSettings(), old, new, print_wrapped)
    except (SyncError, SettingsError, WarehouseError, TimeoutError) as error:
        print_problems(str(error).splitlines())
        return USAGE
    print_wrapped(
        f"{old} is {new}; Dagster shows its assets and jobs under the new name after the UI is started again", "green"
    )
    return CLEAN
