"""The page of parity: what a shadowed workflow would write, beside what another connector writes.

sync_shadow_periods, _nights, _differences  ->  parities()  ->  a Parity per workflow
"""

from collections.abc import Sequence

from assets.delivery.shadow.report import Parity, read_parity, shadowed_workflows
from orchestration.web.console.site import Account, Reading, Site
from resources.clock import utc_now
from resources.warehouse.warehouse import Warehouse


def parities(site: Site, account: Account) -> tuple[Sequence[Parity], Reading]:
    """Return the newest comparison of each workflow that is or was in shadow mode, and the time of the data."""
    if not account.live.exists():
        return [], Reading(utc_now(account.clock), is_empty=True)
    hides = account.live.hides_personal
    versions = {name: each.spec.version for name, each in site.workflows.items()}

    def query(warehouse: Warehouse) -> list[Parity]:
        with warehouse.writer(transaction=False) as con:
            found = [read_parity(con, name, versions.get(name, ""), hides=hides) for name in shadowed_workflows(con)]
        return [each for each in found if each]

    return account.read(query)
