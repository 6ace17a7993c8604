"""Is Precoro ready to be written? Token, the custom fields that workflows fill, calls left.

examine(client, wanted)  ->  Findings; two calls
"""

from collections.abc import Iterator, Mapping

from resources.diagnostics import Finding, examined
from resources.precoro.client import CustomField, PrecoroClient

SYSTEM = "precoro"
DROP_DOWN = "drop-down"
FEW_CALLS = {"hour": 20, "day": 50}


def examine(client: PrecoroClient, wanted: Mapping[str, str]) -> Iterator[Finding]:
    """Everything, the token first; without it nothing else is asked.

    Args:
        client: One company.
        wanted: Items custom fields that workflows fill, by id or name, each with the workflow's name.
    """
    signed_in = list(examined(SYSTEM, "sign-in", lambda: _token(client)))
    yield from signed_in
    if all(each.is_well for each in signed_in):
        yield from examined(SYSTEM, "custom fields", lambda: _fields(client, wanted))
        yield from _calls_left(client)


def _token(client: PrecoroClient) -> Iterator[Finding]:
    client.check()
    yield Finding(SYSTEM, "sign-in", "the token is good")


def _fields(client: PrecoroClient, wanted: Mapping[str, str]) -> Iterator[Finding]:
    if not wanted:
        return
    fields = client.fields()
    for name, workflow in sorted(wanted.items()):
        yield _field(name, workflow, [each for each in fields if name in {str(each.field_id), each.name}])


def _field(name: str, workflow: str, found: list[CustomField]) -> Finding:
    what = f"custom field {name!r}"
    if len(found) > 1:
        ids = ", ".join(str(each.field_id) for each in found)
        return Finding(SYSTEM, what, f"several have this name: {ids}", f"give the id in workflow {workflow}")
    if not found:
        mend = f"make it an items custom field of type drop-down, or correct item_custom_field in workflow {workflow}"
        return Finding(SYSTEM, what, "there is none", mend)
    field = found[0]
    if not field.enable:
        return Finding(SYSTEM, what, f"{field.field_id} is disabled", "enable it in Precoro's configuration")
    if field.type_text and DROP_DOWN not in field.type_text.lower():
        mend = f"options need a drop-down list: correct item_custom_field in workflow {workflow}"
        return Finding(SYSTEM, what, f"{field.field_id} is of type {field.type_text!r}", mend)
    return Finding(SYSTEM, what, f"{field.field_id} is enabled")


def _calls_left(client: PrecoroClient) -> Iterator[Finding]:
    left = client.remaining()
    few = [name for name, least in FEW_CALLS.items() if left.get(name, least) < least]
    mend = ""
    if few:
        mend = f"wait until the {few[-1]} is over; a run that meets the limit goes on by itself the next time"
    if left:
        yield Finding(SYSTEM, "calls left", ", ".join(f"{calls:,} a {name}" for name, calls in left.items()), mend)
