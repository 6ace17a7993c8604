"""From settings to resources: the warehouse, NetSuite, SuiteProjects Pro and every Precoro company.

MillpondSettings, secrets, workflows  ->  resources()  ->  Dagster, or `dg.build_resources` outside a run
"""

from collections.abc import Sequence
from pathlib import Path

from assets.delivery.errors import MappingError
from assets.delivery.spec.expressions import custom_fields
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.extract.settings import ExtractionSettings
from orchestration.secret_settings import secret, secret_value, system_secrets
from orchestration.settings import MillpondSettings, netsuite_settings, precoro_settings, suiteprojects_settings
from resources.clock import Clock, WallClock
from resources.netsuite.resource import NetSuiteResource
from resources.precoro.connect import POSTGRES
from resources.precoro.resource import PrecoroResource
from resources.suiteprojects.resource import SuiteProjectsResource
from resources.warehouse.ducklake import DuckLakeSettings
from resources.warehouse.resource import WarehouseResource, open_warehouse
from resources.warehouse.warehouse import Warehouse


def resources(settings: MillpondSettings, workflows: Sequence[Workflow]) -> dict[str, object]:
    """Return one account's resources by name; in sandbox mode all clients call the sandbox."""
    connections = {each.spec.connection_name: each.spec.connection for each in workflows if writes_to_precoro(each)}
    return {
        "warehouse": warehouse_resource(settings),
        "extraction": extraction_settings(settings, workflows),
        "netsuite": netsuite_resource(settings),
        "suiteprojects": suiteprojects_resource(settings),
        "precoro": precoro_resource(settings),
        **{name: precoro_resource(settings, connection) for name, connection in connections.items()},
    }


def writes_to_precoro(workflow: Workflow) -> bool:
    """Return whether a workflow's target is in Precoro."""
    return workflow.spec.system == "precoro"


def warehouse_resource(settings: MillpondSettings) -> WarehouseResource:
    """Return the warehouse for Dagster; secrets stay EnvVars."""
    return WarehouseResource(
        memory_mb=settings.memory_mb,
        folder=str(settings.warehouse),
        encryption_key=secret("MILLPOND_ENCRYPTION_KEY"),
        personal=settings.personal_data,
        catalog=settings.warehouse_catalog,
        data=settings.lake_data,
        catalog_schema=settings.lake_schema,
        endpoint=settings.warehouse_s3_endpoint,
        region=settings.warehouse_s3_region,
        s3_key=secret("MILLPOND_WAREHOUSE_S3_KEY"),
        s3_secret=secret("MILLPOND_WAREHOUSE_S3_SECRET"),
    )


def warehouse_of(settings: MillpondSettings, *, any_version: bool = False) -> Warehouse:
    """Return the warehouse outside a run; of any schema version only to upgrade it."""
    encryption_key = secret_value("MILLPOND_ENCRYPTION_KEY")
    return open_warehouse(
        settings.warehouse,
        encryption_key,
        settings.personal_data,
        _lake(settings),
        any_version=any_version,
        memory_mb=settings.memory_mb,
    )


def _lake(settings: MillpondSettings) -> DuckLakeSettings | None:
    if not settings.warehouse_catalog:
        return None
    return DuckLakeSettings(
        catalog=settings.warehouse_catalog,
        data=settings.lake_data or f"{settings.warehouse}/lake",
        schema=settings.lake_schema,
        endpoint=settings.warehouse_s3_endpoint,
        region=settings.warehouse_s3_region,
        key=secret_value("MILLPOND_WAREHOUSE_S3_KEY"),
        secret=secret_value("MILLPOND_WAREHOUSE_S3_SECRET"),
    )


def warehouse_clock(settings: MillpondSettings) -> Clock:
    """Return the clock of the warehouse's timestamps: the sandbox's own, or the machine's."""
    from resources.sandbox.sandbox import Sandbox  # late: production does not load the sandbox

    return Sandbox(Path(settings.sandbox)).clock if settings.sandbox else WallClock()


def netsuite_resource(settings: MillpondSettings) -> NetSuiteResource:
    """Return NetSuite's client for Dagster."""
    return NetSuiteResource(
        **netsuite_settings(settings.account).model_dump(),
        **system_secrets("netsuite", settings),
        attempts=settings.attempts,
        sandbox=settings.sandbox,
    )


def suiteprojects_resource(settings: MillpondSettings) -> SuiteProjectsResource:
    """Return SuiteProjects Pro's client for Dagster; in sandbox mode the sandbox provides most settings."""
    own = suiteprojects_settings(settings.account)
    given = own.model_dump(include={"redirect_uri"} if settings.sandbox else None)
    given["token_file"] = own.token_file or str(settings.account_home / "suiteprojects_tokens.json")
    return SuiteProjectsResource(
        **given,
        **system_secrets("suiteprojects", settings),
        encryption_key=secret("MILLPOND_ENCRYPTION_KEY"),
        attempts=settings.attempts,
        sandbox=settings.sandbox,
    )


def precoro_resource(settings: MillpondSettings, connection: str = "") -> PrecoroResource:
    """Return the client of one Precoro company: the default one, or that of a workflow's `connection`."""
    own = precoro_settings(settings.account, connection)
    return PrecoroResource(
        **own.model_dump(exclude={"email", "base_url"} if settings.sandbox else None),
        **system_secrets("precoro", settings, connection),
        connection=connection,
        budget_file=precoro_budget(settings),
        attempts=settings.attempts,
        sandbox=settings.sandbox,
    )


def precoro_budget(settings: MillpondSettings) -> str:
    """Return where calls to Precoro are counted, across accounts: in a file, or in the lake's database."""
    if settings.sandbox:
        return ""
    if settings.warehouse_catalog:
        return f"{POSTGRES}{settings.warehouse_catalog}"
    return str(settings.home.absolute() / "precoro_budget.sqlite")


def extraction_settings(settings: MillpondSettings, workflows: Sequence[Workflow]) -> ExtractionSettings:
    """Return the settings of reading NetSuite."""
    return ExtractionSettings(
        custom_columns={source: tuple(sorted(names)) for source, names in custom_columns(workflows).items()},
        overlap_s=settings.overlap_s,
        vanish_share=settings.max_missing_percent / 100,
        optional_tables=settings.optional_table_names,
        memory_mb=settings.memory_mb // 2,
    )


def custom_columns(workflows: Sequence[Workflow]) -> dict[str, dict[str, str]]:
    """Return the custom fields that workflows read: by source, each with a workflow that reads it."""
    found: dict[str, dict[str, str]] = {}
    for workflow in workflows:
        try:
            read = custom_fields(workflow.spec, workflow.name)
        except MappingError:
            continue  # reported by `millpond validate` and by the mart, with file and field
        for source, names in read.items():
            found.setdefault(source, {}).update(dict.fromkeys(names, workflow.name))
    return found
