"""Check that SuiteProjects Pro can be written: sign-in, user, mapped custom fields, requests left today.

diagnose_suiteprojects(client, mapped)  ->  Findings; four requests, and one per record type with mapped custom fields
"""

from collections.abc import Iterator, Mapping

from resources.diagnostics import Finding, findings_of
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.custom_fields import SUFFIX, read_definitions
from resources.suiteprojects.errors import OK, SYSTEM, status_error
from resources.suiteprojects.responses import status_of
from resources.suiteprojects.tokens import LOGIN
from resources.suiteprojects.xml import command

MIN_REQUESTS = 200  # fewer than one ordinary run of some thousand records needs
SOON_DAYS = 0.5  # a refresh token may be valid for one day only


def diagnose_suiteprojects(client: SuiteProjectsClient, mapped: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """Run all checks, sign-in first; without sign-in nothing else is called.

    Args:
        client: The account.
        mapped: Custom fields that workflows map, by association (customer, project, contact): name and workflow.
    """
    signed_in = list(findings_of(SYSTEM, "sign-in", lambda: _user(client)))
    yield from signed_in
    if not all(each.passed for each in signed_in):
        return
    yield from findings_of(SYSTEM, "requests", lambda: _quota(client))
    for association, fields in sorted(mapped.items()):
        check = f"custom fields of {association}"
        yield from findings_of(SYSTEM, check, lambda a=association, f=fields: _fields(client, a, f))  # type: ignore[misc]


def _user(client: SuiteProjectsClient) -> Iterator[Finding]:
    (block,) = client.execute([command("Whoami")])
    if status_of(block) != OK:
        raise status_error(status_of(block), "Whoami")
    user = (block.findtext("User/id") or "").strip()
    yield Finding(SYSTEM, "sign-in", f"signed in as user {user or '(unknown id)'}; server time {client.server_time()}")
    left = client.days_left()
    if left is not None:
        fix = f"{LOGIN}, or let a run renew it before" if left < SOON_DAYS else ""
        yield Finding(SYSTEM, "refresh token", f"{max(left, 0):.1f} days left unless a run renews it", fix)


def _quota(client: SuiteProjectsClient) -> Iterator[Finding]:
    left = client.remaining_today()
    if left is None:
        yield Finding(SYSTEM, "requests", "the service does not report how many are left in these 24 hours")
        return
    fix = "wait until the 24 hours have passed, or ask Oracle for a higher limit" if left < MIN_REQUESTS else ""
    yield Finding(SYSTEM, "requests", f"{left:,} left in these 24 hours", fix)


def _fields(client: SuiteProjectsClient, association: str, fields: Mapping[str, str]) -> Iterator[Finding]:
    check = f"custom fields of {association}"
    active = {name: each.active for name, each in read_definitions(client, association).items()}
    usable = sorted(name for name in fields if active.get(name))
    for name in sorted(fields.keys() - set(usable)):
        state = "is inactive" if name in active else "does not exist"
        fix = (
            f"create or activate the {association} custom field {name.removesuffix(SUFFIX)} (Administration > Global"
            f" Settings > Custom Fields), or remove it from workflow {fields[name]}"
        )
        yield Finding(SYSTEM, check, f"{name} {state}", fix)
    if usable:
        yield Finding(SYSTEM, check, ", ".join(usable))
