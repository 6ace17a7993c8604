"""`millpond doctor`: is everything ready for a run?

settings, workflow files, warehouse, every system that a workflow needs  ->  a line per check: ✓, or ✗ with the fix

Nothing is written, and no secret is printed.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import dagster as dg
from pydantic import ValidationError

from assets.delivery.spec.workflow import Workflow
from assets.netsuite.record_types import RECORD_TYPES, RecordType, record_type_of
from orchestration.cli.output import print_line
from orchestration.resource_wiring import (
    custom_columns,
    netsuite_resource,
    precoro_resource,
    suiteprojects_resource,
    warehouse_of,
    writes_to_precoro,
)
from orchestration.secret_settings import secret_value, secret_variables
from orchestration.settings import SETTINGS, MillpondSettings, netsuite_settings
from orchestration.workflow_files import load_user_files
from resources.diagnostics import Finding
from resources.encryption import Cipher, EncryptionError
from resources.netsuite.doctor import TableNeed, diagnose_netsuite
from resources.netsuite.key_file import check_key_file
from resources.precoro.doctor import diagnose_precoro
from resources.suiteprojects.custom_fields import SUFFIX
from resources.suiteprojects.dictionary import RECORD_TYPES as SUITEPROJECTS_RECORD_TYPES
from resources.suiteprojects.doctor import diagnose_suiteprojects
from resources.warehouse.warehouse import WarehouseError

MILLPOND = "millpond"
MIN_SECRET = 6  # characters; shorter values occur in ordinary words


def doctor() -> int:
    """Check settings, credentials and permissions of every system."""
    all_passed = True
    for finding in findings():
        all_passed &= finding.passed
        line = f"{finding.system}: {finding.check}: {finding.found}"
        line = f"✓ {line}" if finding.passed else f"✗ {line}; {finding.fix}"
        print_line(redact(line), "green" if finding.passed else "red")
    return 0 if all_passed else 1


def redact(line: str) -> str:
    """Return the line with the values of all secrets replaced by their names."""
    for name in secret_variables():
        value = os.environ.get(name, "")
        if len(value) >= MIN_SECRET:
            line = line.replace(value, f"<{name}>")
    return line


def findings() -> Iterator[Finding]:
    """Yield every finding, in the order in which they are best fixed."""
    invalid = list(_invalid_settings())
    yield from invalid
    if invalid:
        return
    settings = MillpondSettings()
    yield Finding(MILLPOND, "settings", f"mode {settings.mode}, home {settings.home}")
    files = load_user_files(settings.workflows)
    for problem in files.problems:
        place, _, fix = problem.rpartition(": ")
        yield Finding(MILLPOND, "workflow file", place or "cannot be used", fix)
    active = [each for each in files.workflows if each.spec.active]
    yield Finding(MILLPOND, "workflows", f"{len(active)} of {len(files.workflows)} are active")
    yield from _check_warehouse(settings)
    yield from _check_netsuite(settings, active)
    if any(each.spec.system == "suiteprojects" for each in active):
        yield from _check_suiteprojects(settings, active)
    by_connection = defaultdict(list)
    for workflow in filter(writes_to_precoro, active):
        by_connection[workflow.spec.connection].append(workflow)
    for connection in sorted(by_connection):
        yield from _check_precoro(settings, by_connection[connection], connection)


def _invalid_settings() -> Iterator[Finding]:
    for settings in SETTINGS:
        try:
            settings()
        except ValidationError as error:
            for each in error.errors():
                name = f"{settings.model_config['env_prefix']}{each['loc'][0]}".upper()
                yield Finding(MILLPOND, "settings", f"{name} is not valid", f"{each['msg']}; see .env.example")


def _check_warehouse(settings: MillpondSettings) -> Iterator[Finding]:
    try:
        Cipher(secret_value("MILLPOND_ENCRYPTION_KEY"))
    except EncryptionError as error:
        yield Finding(MILLPOND, "encryption", "plans cannot be encrypted or decrypted", str(error))
    warehouse = warehouse_of(settings)
    if not warehouse.exists():
        yield Finding(MILLPOND, "warehouse", "does not exist yet; the first run creates it")
        return
    try:
        tables = warehouse.read("select count(*) as n from duckdb_tables() where database_name = 'warehouse'")
    except WarehouseError as error:
        found, _, fix = str(error).partition("; ")
        yield Finding(MILLPOND, "warehouse", found, fix or "let this user read and write the file")
    else:
        yield Finding(MILLPOND, "warehouse", f"{tables['n'][0]} tables")


def _check_netsuite(settings: MillpondSettings, workflows: Sequence[Workflow]) -> Iterator[Finding]:
    netsuite = netsuite_settings(settings.account)
    needs = table_needs(workflows, settings.optional_table_names)
    with dg.build_resources({"client": netsuite_resource(settings)}) as opened:
        if netsuite.auth == "oauth2" and netsuite.private_key_file and not settings.sandbox:
            yield from check_key_file(Path(netsuite.private_key_file), opened.client.clock.now())
        yield from diagnose_netsuite(opened.client, needs, concurrency=netsuite.concurrency)


def table_needs(workflows: Sequence[Workflow], optional: Collection[str]) -> list[TableNeed]:
    """Return what is read of each NetSuite table, including the workflows' custom fields."""
    custom = custom_columns(workflows)
    on_demand = sorted({name for each in workflows for name in each.spec.on_demand_sources})
    return [
        _need(record_type, custom.get(record_type.name, {}), optional)
        for record_type in (*RECORD_TYPES.values(), *map(record_type_of, on_demand))
    ]


def _need(record_type: RecordType, custom: Mapping[str, str], optional: Collection[str]) -> TableNeed:
    query = record_type.query.with_columns(custom)
    return TableNeed(
        table=record_type.table,
        key=query.key,
        columns=frozenset(query.names),
        required=record_type.required,
        mapped_by=custom,
        is_optional=record_type.optional or bool({record_type.name, record_type.table} & set(optional)),
        requires_rows=record_type.table == "customer",
        page=lambda names: query.without(set(query.names) - {query.key, *names}).page(),
        count=query.extent(),
        columns_with=lambda identifier: [each.name for each in query.columns if each.mentions(identifier)],
    )


def _check_suiteprojects(settings: MillpondSettings, workflows: Sequence[Workflow]) -> Iterator[Finding]:
    mapped: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for each in workflows:
        system, _, record = each.spec.target.partition(".")
        if system == "suiteprojects":
            names = [name for name in each.spec.target_fields if name.endswith(SUFFIX)]
            mapped[SUITEPROJECTS_RECORD_TYPES[record].association].update(dict.fromkeys(names, each.name))
    with dg.build_resources({"client": suiteprojects_resource(settings)}) as opened:
        yield from diagnose_suiteprojects(opened.client, {name: fields for name, fields in mapped.items() if fields})


def _check_precoro(settings: MillpondSettings, workflows: Sequence[Workflow], connection: str) -> Iterator[Finding]:
    fields = {each.spec.options.get("item_custom_field", ""): each.name for each in workflows}
    mapped = {field: workflow for field, workflow in fields.items() if field}
    # the calls count against the same quota as those of runs
    with dg.build_resources({"client": precoro_resource(settings, connection)}) as opened:
        yield from diagnose_precoro(opened.client, mapped)
