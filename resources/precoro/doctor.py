"""Check that Precoro can be written: token, the custom fields that workflows fill, calls left.

diagnose_precoro(client, mapped)  ->  Findings; two calls
"""

from collections.abc import Iterator, Mapping

from resources.diagnostics import Finding, findings_of
from resources.precoro.client import PrecoroClient
from resources.precoro.records import CustomField, candidates

SYSTEM = "precoro"
MIN_CALLS = {"hour": 20, "day": 50}


def diagnose_precoro(client: PrecoroClient, mapped: Mapping[str, str]) -> Iterator[Finding]:
    """Run all checks, the token first; without it nothing else is called.

    Args:
        client: One company.
        mapped: Items custom fields that workflows fill, by id or name, each with the workflow's name.
    """
    signed_in = list(findings_of(SYSTEM, "sign-in", lambda: _token(client)))
    yield from signed_in
    if all(each.passed for each in signed_in):
        yield from findings_of(SYSTEM, "custom fields", lambda: _fields(client, mapped))
        yield from _calls_left(client)


def _token(client: PrecoroClient) -> Iterator[Finding]:
    client.check()
    yield Finding(SYSTEM, "sign-in", "the token is valid")


def _fields(client: PrecoroClient, mapped: Mapping[str, str]) -> Iterator[Finding]:
    if not mapped:
        return
    fields = client.fields()
    for name, workflow in sorted(mapped.items()):
        yield _field(name, workflow, candidates(fields, name))


def _field(name: str, workflow: str, found: list[CustomField]) -> Finding:
    check = f"custom field {name!r}"
    if len(found) > 1:
        ids = ", ".join(str(each.field_id) for each in found)
        return Finding(SYSTEM, check, f"several fields have this name: {ids}", f"use the id in workflow {workflow}")
    if not found:
        fix = f"create an items custom field of type drop-down, or correct item_custom_field in workflow {workflow}"
        return Finding(SYSTEM, check, "it does not exist", fix)
    field = found[0]
    if not field.enable:
        return Finding(SYSTEM, check, f"{field.field_id} is disabled", "enable it in Precoro's configuration")
    if not field.takes_options:
        fix = f"options need a drop-down list: correct item_custom_field in workflow {workflow}"
        return Finding(SYSTEM, check, f"{field.field_id} has the type {field.type_text!r}", fix)
    return Finding(SYSTEM, check, f"{field.field_id} is enabled")


def _calls_left(client: PrecoroClient) -> Iterator[Finding]:
    left = client.remaining()
    scarce = [name for name, minimum in MIN_CALLS.items() if left.get(name, minimum) < minimum]
    fix = ""
    if scarce:
        fix = f"wait until the {scarce[-1]} is over; records that a run defers at the limit are sent by the next run"
    if left:
        yield Finding(SYSTEM, "calls left", ", ".join(f"{calls:,} per {name}" for name, calls in left.items()), fix)
