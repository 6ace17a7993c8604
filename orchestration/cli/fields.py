"""`millpond fields`: what a workflow file can map: the fields of a target, or the columns of a source.

suiteprojects.Customer | customers  ->  name, type, length, a value as an example, and who maps it
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import duckdb

from assets.delivery.errors import MappingError
from assets.delivery.spec.expressions import row_expression, source_columns
from assets.delivery.spec.sources import KEY_COLUMNS, STAGING_PREFIX, key_column
from assets.delivery.spec.workflow import Workflow
from assets.result_texts import counted, did_you_mean
from assets.target_registry import TARGETS
from assets.warehouse.staging_schemas import CUSTOM, staging_schemas
from orchestration.cli.exit_codes import CLEAN, FAILED, USAGE
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import print_problems, print_wrapped
from orchestration.connections import Connections, open_connections
from resources.errors import IntegrationError
from resources.warehouse.masking import is_personal, visible_fields
from resources.warehouse.tables import columns_of, has_table, quoted
from resources.warehouse.warehouse import Warehouse
from sql import is_on_demand

LONGEST = 40  # characters of an example
HIDDEN = "hidden"


@dataclass(frozen=True)
class Described:
    """One field or column; `mapped_by` names workflows with what they map it from or to."""

    name: str
    type: str
    length: int | None
    required: bool
    sample: str | None
    mapped_by: Sequence[str]
    description: str = ""


@with_json
def fields(name: str) -> int:
    """List the fields of a target, or the columns of a source.

    Args:
        name: A target such as suiteprojects.Customer, or a source such as customers or customrecord_region. Examples
            are values of the last run; personal ones are hidden as MILLPOND_PERSONAL_DATA says.
    """
    with open_connections() as connections:
        try:
            found = _of_target(connections, name) if name in TARGETS else _of_source(connections, name)
        except MappingError:
            known = [*TARGETS, *KEY_COLUMNS]
            print_problems([f"no target or source {name}; {did_you_mean(name, known)}known are {', '.join(known)}"])
            return USAGE
        except IntegrationError as error:
            print_problems([str(error)])
            return FAILED
    note(fields=[asdict(each) for each in found])
    for each in found:
        print_wrapped(f"{each.name}  {', '.join(_facts(each))}")
        for text in each.mapped_by:
            print_wrapped(text, "dim", indent=4)
    if not any(each.sample for each in found):
        print_wrapped("no examples: nothing has been read of it yet", "dim")
    return CLEAN


def _facts(field: Described) -> Iterator[str]:
    yield field.type
    if field.required:
        yield "required"
    if field.length is not None:
        yield f"at most {counted(field.length, 'characters')}"
    if field.sample:
        yield f"such as {field.sample}"


def _of_target(connections: Connections, name: str) -> list[Described]:
    """Describe a target's fields, those of the account included."""
    kind = TARGETS[name]
    users = [each for each in connections.workflows.values() if each.spec.target == name]
    connection = next((each.spec.connection_name for each in users), kind.system)
    if connection not in connections.clients:
        raise MappingError(f"no workflow uses {kind.system}")
    target = kind.build(connections.clients[connection], users[0].spec.options if users else {})
    mapped: defaultdict[str, list[str]] = defaultdict(list)
    for workflow in users:
        for record in workflow.spec.records:
            for row in record.rows:
                mapped[row.field].append(f"{workflow.name} ← {row.origin}")
    known = target.fields()
    samples: dict[str, str] = {}
    for workflow in users:
        samples |= _samples_of_target(connections.warehouse, workflow)
    described = [
        Described(
            each.name, each.kind, each.max_length, each.required, samples.get(each.name), mapped.get(each.name, []),
            each.description,
        )
        for each in known.values()
    ]  # fmt: skip
    # nodes of hierarchies, and custom fields that are not active in the account
    others = [field for field in mapped if field not in known]
    return described + [Described(each, "text", None, False, samples.get(each), mapped[each]) for each in others]


def _of_source(connections: Connections, name: str) -> list[Described]:
    """Describe a source's columns, custom fields that were read included.

    Raises:
        MappingError: There is no such source.
    """
    key_column(name)
    table = f"{STAGING_PREFIX}{name}"
    schema = staging_schemas(*([name] if is_on_demand(name) else []))[table].schema
    types = {column: _plain_type(str(kind)) for column, kind in schema.items() if column not in CUSTOM}
    warehouse = connections.warehouse
    samples: dict[str, str] = {}
    if warehouse.exists():
        with warehouse.writer(transaction=False) as con:
            if has_table(con, table):
                types |= {column: kind.lower() for column, kind in columns_of(con, table).items()}
                samples = _samples(con, table, types, hidden=is_personal if warehouse.hides_personal else None)
    mapped: defaultdict[str, list[str]] = defaultdict(list)
    for column, text in _mappings(connections.workflows, name):
        mapped[column].append(text)
    return [Described(each, types[each], None, False, samples.get(each), mapped.get(each, [])) for each in types]


def _mappings(workflows: Mapping[str, Workflow], source: str) -> Iterator[tuple[str, str]]:
    """Yield each column of a source that a workflow reads, with the workflow and the field, or what else it decides."""
    for workflow in workflows.values():
        for record in workflow.spec.records:
            if record.source != source:
                continue
            for row in record.rows:
                for column in dict.fromkeys(row_expression(row, workflow.name).meta.root_names()):
                    yield column, f"{workflow.name} → {row.field}"
            for column in source_columns(record.model_copy(update={"fields": []}), workflow.name):
                yield column, f"{workflow.name} (select or parent)"


def _samples_of_target(warehouse: Warehouse, workflow: Workflow) -> dict[str, str]:
    if not warehouse.exists():
        return {}
    with warehouse.writer(transaction=False) as con:
        if not has_table(con, workflow.target_state):
            return {}
        visible = visible_fields(con).get(workflow.name, {})
        hidden = (lambda column: not visible.get(column, False)) if warehouse.hides_personal else None
        return _samples(con, workflow.target_state, workflow.spec.target_fields, hidden=hidden)


def _samples(
    con: duckdb.DuckDBPyConnection, table: str, columns: Iterable[str], *, hidden: Callable[[str], bool] | None
) -> dict[str, str]:
    """Return a value of each column that has one; personal ones are hidden."""
    known = columns_of(con, table)
    names = [each for each in columns if each in known]
    values = ", ".join(f"cast(any_value({quoted(each)}) as varchar)" for each in names)
    row = con.execute(f"select {values} from {quoted(table)}").fetchall()[0] if names else ()
    found = {name: value for name, value in zip(names, row, strict=True) if value not in {None, ""}}
    return {name: HIDDEN if hidden and hidden(name) else _shortened(value) for name, value in found.items()}


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _plain_type(kind: str) -> str:
    return {"string": "varchar", "datetime": "timestamp"}.get(kind.partition("(")[0].lower(), kind.lower())
