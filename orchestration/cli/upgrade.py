"""`millpond upgrade`: bring files and warehouses of an earlier version to this one."""

from orchestration.cli.facts import with_json
from orchestration.cli.output import print_line, print_problems
from orchestration.upgrade.errors import UpgradeError
from orchestration.upgrade.installation import current_settings
from orchestration.upgrade.perform import needed_upgrade, upgrade_all
from orchestration.upgrade.user_files import refuse_read_only
from resources.warehouse.schema_version import SCHEMA_VERSION
from resources.warehouse.warehouse import WarehouseError


@with_json
def upgrade(*, check: bool = False) -> int:
    """Bring files and warehouses of an earlier version to this one.

    Copies of the old files are kept in MILLPOND_HOME, in `before-<version>`. Every other command upgrades as well,
    before it does anything else.

    Args:
        check: Only list what would be upgraded, and which files cannot be written; the exit code is 1 if there is
            anything.
    """
    try:
        needed = needed_upgrade(*current_settings())
        if not check:
            upgrade_all(print_line)
    except (UpgradeError, WarehouseError, TimeoutError) as error:
        print_problems(str(error).splitlines())
        return 2
    if not needed.lines:
        print_line(f"nothing to upgrade: everything has schema version {SCHEMA_VERSION}", "green")
        return 0
    if check:
        for line in needed.lines:
            print_line(line)
        try:
            refuse_read_only(needed.changes)
        except UpgradeError as error:
            print_problems(str(error).splitlines())
        return 1
    print_line(f"upgraded to schema version {SCHEMA_VERSION}", "green")
    return 0
