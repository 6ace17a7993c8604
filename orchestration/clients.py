"""From settings to clients, without Dagster: NetSuite, SuiteProjects Pro and every Precoro company.

MillpondSettings, secrets  ->  the fields of a client  ->  a client; Dagster's resources have the same fields
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from assets.delivery.errors import MappingError
from assets.delivery.spec.expressions import custom_fields
from assets.delivery.spec.workflow import Workflow
from assets.netsuite.extract.settings import ExtractionSettings
from orchestration.configuration.secret_settings import Secret, secret_value, system_secrets
from orchestration.configuration.settings import (
    MillpondSettings,
    netsuite_settings,
    precoro_settings,
    suiteprojects_settings,
)
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.connect import open_netsuite
from resources.precoro.client import PrecoroClient
from resources.precoro.connect import POSTGRES, open_precoro
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.connect import open_suiteprojects


def writes_to_precoro(workflow: Workflow) -> bool:
    """Return whether a workflow's target is in Precoro."""
    return workflow.spec.system == "precoro"


def netsuite_client(settings: MillpondSettings, **other: Any) -> AbstractContextManager[NetSuiteClient]:
    """Return NetSuite's client, to be opened; `other` replaces some of its fields."""
    return open_netsuite(**{**netsuite_fields(settings), **other})


def netsuite_fields(settings: MillpondSettings, read: Secret = secret_value) -> dict[str, Any]:
    """Return the fields of NetSuite's client."""
    return {
        **netsuite_settings(settings.account).model_dump(),
        **system_secrets("netsuite", settings, read=read),
        "attempts": settings.attempts,
        "sandbox": settings.sandbox,
    }


def is_configured(settings: MillpondSettings) -> bool:
    """Return whether there is a NetSuite account to ask: a sandbox that was filled, or one that the settings name."""
    if not settings.is_account_selected:
        return False
    if not settings.sandbox:
        return bool(netsuite_settings(settings.account).account)
    from resources.sandbox.filled import was_filled

    return was_filled(Path(settings.sandbox))


def suiteprojects_client(
    settings: MillpondSettings,
    connection: str = "",  # noqa: ARG001 - it has a single account
) -> AbstractContextManager[SuiteProjectsClient]:
    """Return SuiteProjects Pro's client, to be opened."""
    return open_suiteprojects(**suiteprojects_fields(settings))


def suiteprojects_fields(settings: MillpondSettings, read: Secret = secret_value) -> dict[str, Any]:
    """Return the fields of SuiteProjects Pro's client; in sandbox mode the sandbox provides most settings."""
    own = suiteprojects_settings(settings.account)
    given = own.model_dump(include={"redirect_uri"} if settings.sandbox else None)
    given["token_file"] = own.token_file or str(settings.account_home / "suiteprojects_tokens.json")
    return {
        **given,
        **system_secrets("suiteprojects", settings, read=read),
        "encryption_key": read("MILLPOND_ENCRYPTION_KEY"),
        "attempts": settings.attempts,
        "sandbox": settings.sandbox,
    }


def precoro_client(settings: MillpondSettings, connection: str = "") -> AbstractContextManager[PrecoroClient]:
    """Return the client of one Precoro company, to be opened."""
    return open_precoro(**precoro_fields(settings, connection))


def precoro_fields(settings: MillpondSettings, connection: str = "", read: Secret = secret_value) -> dict[str, Any]:
    """Return the fields of one Precoro company's client: the default one, or that of a workflow's `connection`."""
    own = precoro_settings(settings.account, connection)
    return {
        **own.model_dump(exclude={"email", "base_url"} if settings.sandbox else None),
        **system_secrets("precoro", settings, connection, read=read),
        "connection": connection,
        "budget_file": precoro_budget(settings),
        "attempts": settings.attempts,
        "sandbox": settings.sandbox,
    }


# a target's system -> the client of one of its connections
TARGET_CLIENTS: Mapping[str, Callable[[MillpondSettings, str], AbstractContextManager[Any]]] = {
    "suiteprojects": suiteprojects_client,
    "precoro": precoro_client,
}


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
        verify_days=settings.verify_days,
        verify_calls=settings.verify_calls,
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
