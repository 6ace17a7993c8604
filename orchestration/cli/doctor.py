"""Is everything ready for a run? Settings, workflow files, the warehouse, and each system that a workflow needs.

millpond doctor  ->  one line per check: ✓, or ✗ with the mend  ->  exit code 1 when there is any ✗

Nothing is written anywhere, and nothing secret is printed: what the settings keep secret is blotted out at the end.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings
from rich.console import Console

from assets.delivery.ledger.plans import PlanError, Seal
from assets.delivery.plan.planner import Workflow
from assets.delivery.spec.expressions import MappingError, custom_fields, on_demand
from assets.netsuite.record_types import RECORD_TYPES, RecordType, record_type_of
from orchestration.automation.jobs import load_groups
from orchestration.definitions import load_workflows, on_precoro
from orchestration.settings import (
    SECRETS,
    SETTINGS,
    MillpondSettings,
    netsuite_settings,
    of_one,
    precoro_settings,
    secret_variables,
    suiteprojects_connection,
)
from orchestration.warehouse_access import budget_of, warehouse_of
from resources.diagnostics import Finding
from resources.netsuite.doctor import TableNeed
from resources.netsuite.doctor import examine as examine_netsuite
from resources.netsuite.key_file import look_at_key_file
from resources.netsuite.resource import open_netsuite
from resources.precoro.connect import open_precoro
from resources.precoro.doctor import examine as examine_precoro
from resources.suiteprojects.connect import open_suiteprojects
from resources.suiteprojects.dictionary import RECORD_TYPES as SUITEPROJECTS_RECORD_TYPES
from resources.suiteprojects.doctor import SUFFIX
from resources.suiteprojects.doctor import examine as examine_suiteprojects
from resources.warehouse.warehouse import WarehouseError

OURS = "millpond"
SHORTEST_SECRET = 6  # shorter values stand in ordinary words


def run_doctor(console: Console) -> int:
    """Look at everything and print it; returns the exit code."""
    ill = False
    for finding in findings():
        ill |= not finding.is_well
        line = f"{finding.system}: {finding.what}: {finding.found}"
        line = f"✓ {line}" if finding.is_well else f"✗ {line}; {finding.mend}"
        style = "green" if finding.is_well else "red"
        console.print(without_secrets(line), style=style, markup=False, highlight=False, soft_wrap=True)
    return int(ill)


def without_secrets(line: str) -> str:
    """A line in which no value stands that the settings keep secret."""
    for name in secret_variables():
        value = os.environ.get(name, "")
        if len(value) >= SHORTEST_SECRET:
            line = line.replace(value, f"<{name}>")
    return line


def findings() -> Iterator[Finding]:
    """Every finding, in the order in which a person would mend them."""
    unusable = list(_unusable_settings())
    yield from unusable
    if unusable:
        return
    settings = MillpondSettings()
    yield Finding(OURS, "settings", f"mode {settings.mode}, home {settings.home}")
    workflows, broken = load_workflows(settings.workflows)
    _, wrong = load_groups(settings.workflows, [*(each.name for each in workflows), *broken])
    for text in [*(line for each in broken.values() for line in each.splitlines()), *wrong]:
        place, _, mend = text.rpartition(": ")
        yield Finding(OURS, "workflow file", place or "cannot be used", mend)
    active = [each for each in workflows if each.spec.active]
    yield Finding(OURS, "workflows", f"{len(active)} of {len(workflows)} are active")
    yield from _warehouse(settings)
    yield from _netsuite(settings, active)
    systems = {each.spec.system for each in active}
    if "suiteprojects" in systems:
        yield from _suiteprojects(settings, active)
    for connection in sorted({each.spec.connection for each in active if on_precoro(each)}):
        of_it = [each for each in active if on_precoro(each) and each.spec.connection == connection]
        yield from _precoro(settings, of_it, connection)


def _unusable_settings() -> Iterator[Finding]:
    for settings in SETTINGS:
        try:
            _loaded(settings)
        except ValidationError as error:
            for each in error.errors():
                name = f"{settings.model_config['env_prefix']}{each['loc'][0]}".upper()
                yield Finding(OURS, "settings", f"{name} cannot be used", f"{each['msg']}; see .env.example")


def _loaded(settings: type[BaseSettings]) -> BaseSettings:
    return settings()


def _warehouse(settings: MillpondSettings) -> Iterator[Finding]:
    try:
        Seal(os.environ.get("MILLPOND_SEAL_KEY", ""))
    except PlanError as error:
        yield Finding(OURS, "seal", "plans cannot be sealed or opened", str(error))
    warehouse = warehouse_of(settings)
    if not warehouse.exists():
        yield Finding(OURS, "warehouse", "there is none yet; the first run makes it")
        return
    try:
        tables = warehouse.read("select count(*) as n from duckdb_tables() where database_name = 'stage'")
    except WarehouseError as error:
        found, _, mend = str(error).partition("; ")
        yield Finding(OURS, "warehouse", found, mend or "let this user read and write the file")
    else:
        yield Finding(OURS, "warehouse", f"{tables['n'][0]} tables")


def secrets_of(system: str, settings: MillpondSettings, connection: str = "") -> dict[str, str]:
    """The secrets of one system by the names that its client knows; the sandbox has its own."""
    prefix = f"{system.upper()}_"
    names = () if settings.sandbox else tuple(name for name in SECRETS if name.startswith(prefix))
    return {
        name.removeprefix(prefix).lower(): os.environ.get(of_one(name, settings.account, connection), "")
        for name in names
    }


# --- NetSuite ----------------------------------------------------------------------------------------------------


def _netsuite(settings: MillpondSettings, workflows: Sequence[Workflow]) -> Iterator[Finding]:
    netsuite = netsuite_settings(settings.account)
    secrets = secrets_of("netsuite", settings)
    given: dict[str, Any] = {**netsuite.model_dump(), **secrets}
    with open_netsuite(**given, attempts=settings.attempts, sandbox=settings.sandbox) as client:
        if netsuite.auth == "oauth2" and netsuite.private_key_file and not settings.sandbox:
            yield from look_at_key_file(Path(netsuite.private_key_file), client.clock.now())
        needs = table_needs(workflows, settings.optional)
        yield from examine_netsuite(client, needs, lanes=netsuite.concurrency)


def table_needs(workflows: Sequence[Workflow], optional: Collection[str]) -> list[TableNeed]:
    """What is read of each NetSuite table, custom fields of the workflows included."""
    custom = custom_columns(workflows)
    others = sorted({name for each in workflows for name in on_demand(each.spec)})
    return [
        _need(record_type, custom.get(record_type.name, {}), optional)
        for record_type in (*RECORD_TYPES.values(), *map(record_type_of, others))
    ]


def custom_columns(workflows: Sequence[Workflow]) -> Mapping[str, dict[str, str]]:
    """Custom fields that workflows read, by source, each with the workflow's name."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for workflow in workflows:
        try:
            read = custom_fields(workflow.spec, workflow.name)
        except MappingError:
            continue  # `millpond validate` says it, with file and field
        for source, names in read.items():
            found[source].update(dict.fromkeys(names, workflow.name))
    return found


def _need(record_type: RecordType, custom: Mapping[str, str], optional: Collection[str]) -> TableNeed:
    query = record_type.query.with_columns(custom)
    return TableNeed(
        table=record_type.table,
        columns=frozenset(query.names),
        required=record_type.required,
        wanted_by=custom,
        may_be_missing=record_type.optional or bool({record_type.name, record_type.table} & set(optional)),
        must_have_rows=record_type.table == "customer",
        page=lambda names: query.without(set(query.names) - {query.key, *names}).page(),
        extent=query.extent(),
        named=lambda identifier: [each.name for each in query.columns if each.mentions(identifier)],
    )


# --- the targets -------------------------------------------------------------------------------------------------


def _suiteprojects(settings: MillpondSettings, workflows: Sequence[Workflow]) -> Iterator[Finding]:
    mapped: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for each in workflows:
        system, _, record = each.spec.target.partition(".")
        if system == "suiteprojects":
            names = [name for name in each.spec.columns if name.endswith(SUFFIX)]
            mapped[SUITEPROJECTS_RECORD_TYPES[record].association].update(dict.fromkeys(names, each.name))
    given = {**suiteprojects_connection(settings), **secrets_of("suiteprojects", settings)}
    given["seal_key"] = os.environ.get("MILLPOND_SEAL_KEY", "")
    with open_suiteprojects(**given) as client:
        yield from examine_suiteprojects(client, {name: fields for name, fields in mapped.items() if fields})


def _precoro(settings: MillpondSettings, workflows: Sequence[Workflow], connection: str) -> Iterator[Finding]:
    named = {each.spec.options.get("item_custom_field", ""): each.name for each in workflows}
    wanted = {field: workflow for field, workflow in named.items() if field}
    given: dict[str, Any] = precoro_settings(connection, settings.account).model_dump(
        exclude={"email", "base_url"} if settings.sandbox else None
    )
    given |= secrets_of("precoro", settings, connection)
    # the runs' own file, so that the doctor's calls are counted and what is left is true
    given["budget_file"] = budget_of(settings)
    given |= {"attempts": settings.attempts, "sandbox": settings.sandbox, "connection": connection}
    with open_precoro(**given) as client:
        yield from examine_precoro(client, wanted)
