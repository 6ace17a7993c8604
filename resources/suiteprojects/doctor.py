"""Is SuiteProjects Pro ready to be written? Sign-in, who we are, custom fields that are mapped, requests left today.

examine(client, mapped)  ->  Findings; four requests, and one for each type of record with mapped custom fields
"""

from collections.abc import Iterator, Mapping

from resources.diagnostics import Finding, examined
from resources.suiteprojects.client import SuiteProjectsClient, status_of
from resources.suiteprojects.errors import OK, SYSTEM, refusal
from resources.suiteprojects.tokens import LOGIN
from resources.suiteprojects.xml import command

FEW_REQUESTS = 200  # less than one ordinary run of some thousand records needs
SOON_DAYS = 0.5  # a refresh token may live for one day only
SUFFIX = "__c"


def examine(client: SuiteProjectsClient, mapped: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """Everything, sign-in first; without sign-in nothing else is asked.

    Args:
        client: The account.
        mapped: Custom fields that workflows map, by association (customer, project, contact): name and workflow.
    """
    signed_in = list(examined(SYSTEM, "sign-in", lambda: _who(client)))
    yield from signed_in
    if not all(each.is_well for each in signed_in):
        return
    yield from examined(SYSTEM, "requests", lambda: _quota(client))
    for association, fields in sorted(mapped.items()):
        what = f"custom fields of {association}"
        yield from examined(SYSTEM, what, lambda a=association, f=fields: _fields(client, a, f))  # type: ignore[misc]


def _who(client: SuiteProjectsClient) -> Iterator[Finding]:
    (block,) = client.execute([command("Whoami")])
    if status_of(block) != OK:
        raise refusal(status_of(block), "Whoami")
    user = (block.findtext("User/id") or "").strip()
    found = f"signed in as user {user or '(id not told)'}; its clock says {client.server_time()}"
    yield Finding(SYSTEM, "sign-in", found)
    left = client.days_left()
    if left is not None:
        mend = f"{LOGIN}, or let a run renew it before" if left < SOON_DAYS else ""
        yield Finding(SYSTEM, "refresh token", f"{max(left, 0):.1f} days left if no run renews it", mend)


def _quota(client: SuiteProjectsClient) -> Iterator[Finding]:
    left = client.remaining_today()
    mend = "wait until the 24 hours have passed, or ask Oracle for a higher limit" if left < FEW_REQUESTS else ""
    yield Finding(SYSTEM, "requests", f"{left:,} left in these 24 hours", mend)


def _fields(client: SuiteProjectsClient, association: str, fields: Mapping[str, str]) -> Iterator[Finding]:
    what = f"custom fields of {association}"
    records = client.read_all("CustField", ["name", "active"], query={"association": association})
    active = {f"{record['name']}{SUFFIX}": record["active"] == "1" for record in records}
    well = sorted(name for name in fields if active.get(name))
    for name in sorted(fields.keys() - set(well)):
        state = "is switched off" if name in active else "does not exist"
        mend = (
            f"an administrator makes it a {association} custom field called {name.removesuffix(SUFFIX)} and active"
            f" (Administration > Global Settings > Custom Fields), or workflow {fields[name]} leaves it out"
        )
        yield Finding(SYSTEM, what, f"{name} {state}", mend)
    if well:
        yield Finding(SYSTEM, what, ", ".join(well))
