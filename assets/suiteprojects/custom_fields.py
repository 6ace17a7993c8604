"""Read an account's custom fields as fields that a workflow may map to."""

from assets.delivery.target import TargetField
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.xml import Record

_KINDS = {"checkbox": "boolean", "numeric": "number", "currency": "number", "date": "date"}  # by picker


def custom_fields(client: SuiteProjectsClient, association: str) -> dict[str, TargetField]:
    """Return the active custom fields of one association, such as "customer", by name: `region__c`."""
    properties = ["name", "title", "picker", "maxlength", "required", "active", "valuelist"]
    records = client.read_all("CustField", properties, query={"association": association})
    # the service rejects every write to an inactive one
    return {f"{record['name']}__c": _field(record) for record in records if record["active"] == "1"}


def _field(record: Record) -> TargetField:
    length, picker, values = record["maxlength"] or "", record["picker"] or "", record["valuelist"]
    return TargetField(
        f"{record['name']}__c",
        record["title"] or "",
        kind=_KINDS.get(picker, "text"),
        max_length=int(length) or None if length.isdigit() else None,  # 0 stands for no limit
        required=record["required"] == "1",
        # the separator of several values in one field is not documented, so such fields are not validated
        choices=frozenset(values.split(",")) if values and picker in {"dropdown", "radio"} else None,
    )
