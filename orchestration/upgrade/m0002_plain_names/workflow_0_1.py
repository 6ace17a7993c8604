"""The workflow file of 0.1, frozen: keys, defaults and types, from which 0.1 made the fingerprints in its ledger.

attributes under the names of 0.1  ->  fingerprint_0_1()  ->  workflow_version
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from assets.delivery.spec.base import Strict, Text

SHORT_FORM = ("source", "select", "fields", "parent", "parent_required", "lifecycle")


class _Lookup(Strict):
    table: str
    by: str
    return_: str = Field(alias="return")
    several: str = "none"
    then: "_Lookup | None" = None


class _FieldRow(Strict):
    field: str
    from_: str | None = Field(None, alias="from")
    sql: str | None = None
    value: Text | None = None
    values: dict[Text, Text] | None = None
    lookup: _Lookup | None = None
    links: str | None = None
    otherwise: str = "error"
    blank: str = "clear"
    on: str = "always"
    max_length: int | None = None
    required: bool = False
    locked: bool = False
    active: bool = True


class _Select(Strict):
    stages: dict[str, str] | None = None
    require_flag: str | None = None
    subsidiary: Text | None = None
    membership: str = "any"
    where: str | None = None


class _Lifecycle(Strict):
    inactive: str = "deactivate"
    deleted: str = "deactivate"
    out_of_scope: str = "report"


class _MatchBy(Strict):
    field: str
    ignore_case: bool = False
    stored_id: str | None = None
    other_id: str = "skip"


class _Limit(Strict):
    percent: float
    rows: int


class _Guards(Strict):
    deactivate: _Limit = _Limit(percent=5, rows=50)
    update: _Limit = _Limit(percent=100, rows=1_000_000)
    create: _Limit = _Limit(percent=0, rows=1_000_000)
    blank: _Limit = _Limit(percent=1, rows=20)
    rekey: _Limit = _Limit(percent=0, rows=0)
    reparent: _Limit = _Limit(percent=5, rows=50)
    empty_source: bool = True
    halved_source: bool = True


class _Imports(Strict):
    select: str = "all"
    label: str = "name"


class _RecordMap(Strict):
    source: str
    select: _Select = _Select()
    fields: list[_FieldRow]
    parent: dict[str, str] | None = None
    parent_required: bool = False
    lifecycle: _Lifecycle = _Lifecycle()


class _Workflow(Strict):
    target: str
    description: str = ""
    active: bool = True
    owners: list[str] = Field(["team:integrations"])
    options: dict[str, Text] = Field({})
    connection: str = ""
    records: list[_RecordMap] = Field([])
    match: list[_MatchBy | str] = Field(["external_id"])
    monitored: str | list[str] = "mapped"
    record_link: str = ""
    strict_mapping: bool = False
    timezone: str = "UTC"
    needs: list[str] = Field([])
    create: bool = True
    max_level: int | None = None
    imports: _Imports | None = None
    guards: _Guards = _Guards()
    drift: str = "restore"
    canary: list[int] = Field([5, 50])
    plan_lifetime_h: int = 24
    retry_refused_after_h: int = 168


def fingerprint_0_1(attributes: Mapping[str, Any]) -> str:
    """Return the fingerprint that 0.1 stored for a workflow file.

    Raises:
        pydantic.ValidationError: 0.1 could not have read the file.
    """
    given = {name: value for name, value in attributes.items() if name != "realtime"}
    short = {name: value for name in SHORT_FORM if (value := given.pop(name, None)) is not None}
    workflow = _Workflow.model_validate({**given, "records": [short]} if short else given)
    content = workflow.model_dump(mode="json", by_alias=True)
    parents = [list(record.parent or {}) for record in workflow.records]
    return hashlib.sha256(json.dumps([content, parents], sort_keys=True).encode()).hexdigest()[:12]
