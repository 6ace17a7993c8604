"""`millpond doctor`: check that everything is ready for a run.

settings, workflow files, warehouse, every system that a workflow needs  ->  a line per check: ✓, or ✗ with the fix

Nothing is written, and no secret is printed.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from assets.delivery.spec.workflow import Workflow
from assets.netsuite.extract.read_warnings import unsolved_warnings
from orchestration.cli.exit_codes import CLEAN, FAILED
from orchestration.cli.facts import note, with_json
from orchestration.cli.output import print_wrapped
from orchestration.clients import netsuite_client, precoro_client, suiteprojects_client, writes_to_precoro
from orchestration.configuration.env_file import env_file_names, find_env_file
from orchestration.configuration.known_names import unknown_names
from orchestration.configuration.secret_settings import secret_value, secret_variables
from orchestration.configuration.settings import SETTINGS, MillpondSettings, netsuite_settings
from orchestration.configuration.settings_error import SettingsError
from orchestration.key_check import check_keys
from orchestration.opened_warehouse import warehouse_of
from orchestration.table_needs import table_needs
from orchestration.workflow_files import load_user_files, runnable_workflows
from resources.diagnostics import Finding, check_privacy
from resources.encryption import Cipher, EncryptionError
from resources.netsuite.doctor import diagnose_netsuite
from resources.netsuite.key_file import check_key_file
from resources.precoro.doctor import diagnose_precoro
from resources.suiteprojects.custom_fields import SUFFIX
from resources.suiteprojects.dictionary import RECORD_TYPES as SUITEPROJECTS_RECORD_TYPES
from resources.suiteprojects.doctor import diagnose_suiteprojects
from resources.warehouse.warehouse import WarehouseError

MILLPOND = "millpond"
ATTEMPTS = 2  # per request, at most: someone waits for the answer, and can ask again
WARNED = "correct it in NetSuite or in the settings; the next run that reads without the warning removes this line"


@with_json
def doctor() -> int:
    """Check settings, credentials and permissions of every system."""
    all_passed = True
    for finding in findings():
        all_passed &= finding.passed
        note(checks=[{**asdict(finding), "passed": finding.passed}])
        line = f"{finding.system}: {finding.check}: {finding.found}"
        line = f"✓ {line}" if finding.passed else f"✗ {line}; {finding.fix}"
        print_wrapped(line, "green" if finding.passed else "red")
    return CLEAN if all_passed else FAILED


def findings() -> Iterator[Finding]:
    """Yield every finding, in the order in which they are best fixed."""
    invalid = list(_invalid_settings())
    yield from invalid
    if invalid:
        return
    settings = MillpondSettings()
    settings = settings.model_copy(update={"attempts": min(settings.attempts, ATTEMPTS)})
    yield Finding(MILLPOND, "settings", f"mode {settings.mode}, home {settings.home}")
    for line in unknown_names(env_file_names(find_env_file()), settings):
        found, _, fix = line.partition("; ")
        yield Finding(MILLPOND, ".env", found, fix)
    yield from _check_env_file(find_env_file())
    files = load_user_files(settings.workflows)
    for problem in files.problems:
        place, _, fix = problem.partition(": ")
        yield Finding(MILLPOND, "workflow file", place, fix or "correct it")
    try:
        runnable = runnable_workflows(files.workflows, settings)
    except ValueError as error:
        found, _, fix = str(error).partition("; ")
        yield Finding(MILLPOND, "switches", found, fix)
        return
    active = [each for each in files.workflows if each.name in runnable]
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


def _check_env_file(file: Path | None) -> Iterator[Finding]:
    """Check who may read the file, if it holds a secret."""
    if file and any(os.environ[name] for name in {*secret_variables()}.intersection(env_file_names(file))):
        yield from check_privacy(MILLPOND, ".env", file)


def _invalid_settings() -> Iterator[Finding]:
    for settings in SETTINGS:
        try:
            settings()
        except SettingsError as error:
            for line in str(error).splitlines():
                name, _, fix = line.partition(": ")
                yield Finding(MILLPOND, "settings", f"{name} is not valid", fix)


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
        return
    yield Finding(MILLPOND, "warehouse", f"{tables['n'][0]} tables")
    with warehouse.writer(transaction=False) as con:
        yield from check_keys(con)
        warnings = unsolved_warnings(con)
    for record_type, text in warnings:
        yield Finding(MILLPOND, f"last read of {record_type}", text, WARNED)


def _check_netsuite(settings: MillpondSettings, workflows: Sequence[Workflow]) -> Iterator[Finding]:
    netsuite = netsuite_settings(settings.account)
    needs = table_needs(workflows, settings.optional_table_names)
    with netsuite_client(settings) as client:
        if netsuite.auth == "oauth2" and netsuite.private_key_file and not settings.sandbox:
            yield from check_key_file(Path(netsuite.private_key_file), client.clock.now())
        yield from diagnose_netsuite(client, needs, concurrency=netsuite.concurrency)


def _check_suiteprojects(settings: MillpondSettings, workflows: Sequence[Workflow]) -> Iterator[Finding]:
    mapped: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for each in workflows:
        system, _, record = each.spec.target.partition(".")
        if system == "suiteprojects":
            names = [name for name in each.spec.target_fields if name.endswith(SUFFIX)]
            mapped[SUITEPROJECTS_RECORD_TYPES[record].association].update(dict.fromkeys(names, each.name))
    with suiteprojects_client(settings) as client:
        yield from diagnose_suiteprojects(client, {name: fields for name, fields in mapped.items() if fields})


def _check_precoro(settings: MillpondSettings, workflows: Sequence[Workflow], connection: str) -> Iterator[Finding]:
    fields = {each.spec.options.get("item_custom_field", ""): each.name for each in workflows}
    mapped = {field: workflow for field, workflow in fields.items() if field}
    # the calls count against the same quota as those of runs
    with precoro_client(settings, connection) as client:
        yield from diagnose_precoro(client, mapped)
