"""The needs of workflows in NetSuite's tables, and those that the account does not meet.

workflows  ->  table_needs()  ->  `millpond doctor`; missing_in_netsuite()  ->  `millpond validate`
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from assets.delivery.spec.needed_columns import needed_columns
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.record_types import RECORD_TYPES, RecordType, record_type_of
from orchestration.clients import custom_columns
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.doctor import TableNeed, unknown_columns
from resources.netsuite.errors import MissingTableError


def table_needs(workflows: Sequence[Workflow], optional: Collection[str]) -> list[TableNeed]:
    """Return what is read of each NetSuite table, including the columns that workflows map."""
    custom, mapped = custom_columns(workflows), defaultdict[str, dict[str, str]](dict)
    for workflow in workflows:
        for name, columns in needed_columns(workflow).items():
            mapped[name].update(dict.fromkeys(columns, workflow.name))
    on_demand = sorted({name for each in workflows for name in each.spec.on_demand_sources})
    return [
        _need(record_type, custom.get(record_type.name, {}), mapped[record_type.name], optional)
        for record_type in (*RECORD_TYPES.values(), *map(record_type_of, on_demand))
    ]


def _need(
    record_type: RecordType, custom: Iterable[str], mapped: Mapping[str, str], optional: Collection[str]
) -> TableNeed:
    query = record_type.query.with_columns(custom)
    return TableNeed(
        table=record_type.table,
        key=query.key,
        columns=frozenset(query.names),
        required=record_type.required,
        mapped_by=mapped,
        is_optional=record_type.optional or bool({record_type.name, record_type.table} & set(optional)),
        requires_rows=record_type.table == "customer",
        page=lambda names: query.without(set(query.names) - {query.key, *names}).page(),
        count=query.extent(),
        columns_with=lambda identifier: [each.name for each in query.columns if each.mentions(identifier)],
    )


def missing_in_netsuite(client: NetSuiteClient, needs: Sequence[TableNeed]) -> Iterator[str]:
    """Yield a line for each mapped column that NetSuite does not show; IntegrationError if NetSuite cannot be asked."""
    for need in needs:
        if not need.mapped_by:
            continue
        try:
            missing = sorted(unknown_columns(client, need) & need.mapped_by.keys())
        except MissingTableError:
            continue  # reported by the run and by `millpond doctor`, with the permission
        fix = "give the role access to it, correct its name, or remove the row"
        for name in missing:
            yield f"{need.mapped_by[name]}: NetSuite shows no {name} of {need.table} to this role; {fix}"
