"""From settings to Dagster's resources: the warehouse, NetSuite, SuiteProjects Pro and every Precoro company.

MillpondSettings, workflows  ->  the fields of `clients.py`, with secrets as `dg.EnvVar`  ->  resources()
"""

import os
from collections.abc import Sequence

import dagster as dg

from assets.delivery.spec.workflow import Workflow
from orchestration.clients import (
    extraction_settings,
    netsuite_fields,
    precoro_fields,
    suiteprojects_fields,
    writes_to_precoro,
)
from orchestration.configuration.settings import MillpondSettings, env_name
from resources.netsuite.resource import NetSuiteResource
from resources.precoro.resource import PrecoroResource
from resources.suiteprojects.resource import SuiteProjectsResource
from resources.warehouse.resource import WarehouseResource


def secret(name: str, *scopes: str) -> str:
    """Return a secret as a `dg.EnvVar`, of which the UI shows only the name; blank when it is not set."""
    variable = env_name(name, *scopes)
    return dg.EnvVar(variable) if os.environ.get(variable) else ""  # Dagster rejects an EnvVar that is not set


def resources(settings: MillpondSettings, workflows: Sequence[Workflow]) -> dict[str, object]:
    """Return one account's resources by name; in sandbox mode all clients call the sandbox."""
    connections = {each.spec.connection_name: each.spec.connection for each in workflows if writes_to_precoro(each)}
    return {
        "warehouse": warehouse_resource(settings),
        "extraction": extraction_settings(settings, workflows),
        "netsuite": NetSuiteResource(**netsuite_fields(settings, secret)),
        "suiteprojects": suiteprojects_resource(settings),
        "precoro": precoro_resource(settings),
        **{name: precoro_resource(settings, connection) for name, connection in connections.items()},
    }


def warehouse_resource(settings: MillpondSettings) -> WarehouseResource:
    """Return the warehouse for Dagster."""
    return WarehouseResource(
        memory_mb=settings.memory_mb,
        folder=str(settings.warehouse),
        encryption_key=secret("MILLPOND_ENCRYPTION_KEY"),
        personal=settings.personal_data,
        classes=settings.column_classes,
        catalog=settings.warehouse_catalog,
        data=settings.lake_data,
        catalog_schema=settings.lake_schema,
        endpoint=settings.warehouse_s3_endpoint,
        region=settings.warehouse_s3_region,
        s3_key=secret("MILLPOND_WAREHOUSE_S3_KEY"),
        s3_secret=secret("MILLPOND_WAREHOUSE_S3_SECRET"),
    )


def suiteprojects_resource(settings: MillpondSettings) -> SuiteProjectsResource:
    """Return SuiteProjects Pro's client for Dagster."""
    return SuiteProjectsResource(**suiteprojects_fields(settings, secret))


def precoro_resource(settings: MillpondSettings, connection: str = "") -> PrecoroResource:
    """Return the client of one Precoro company for Dagster."""
    return PrecoroResource(**precoro_fields(settings, connection, secret))
