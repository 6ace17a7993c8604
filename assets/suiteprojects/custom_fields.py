"""Read an account's custom fields as fields that a workflow may map to."""

from assets.delivery.target import TargetField
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.custom_fields import Definition, read_definitions

_KINDS = {"checkbox": "boolean", "numeric": "number", "currency": "number", "date": "date"}  # by picker
_LISTS = {"dropdown", "radio"}  # the separator of several values in one field is not documented: not validated


def custom_fields(client: SuiteProjectsClient, association: str) -> dict[str, TargetField]:
    """Return the active custom fields of one association, such as "customer", by name: `region__c`."""
    definitions = read_definitions(client, association)
    # the service rejects every write to an inactive one
    return {name: _field(each) for name, each in definitions.items() if each.active}


def _field(definition: Definition) -> TargetField:
    return TargetField(
        definition.name,
        definition.title,
        kind=_KINDS.get(definition.picker, "text"),
        max_length=definition.max_length,
        required=definition.required,
        choices=definition.values if definition.values and definition.picker in _LISTS else None,
    )
