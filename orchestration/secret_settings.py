"""Secrets: passed to resources as `dg.EnvVar`, so that the UI shows only their names."""

import os
import re
from typing import Any

import dagster as dg

from orchestration.settings import MillpondSettings, env_name

SECRETS = {
    "MILLPOND_ENCRYPTION_KEY": "Encrypts the values of plans at rest: 32 bytes in URL-safe base64. Of several,"
    " separated by commas, the first encrypts and each decrypts. Blank: not encrypted.",
    "MILLPOND_WAREHOUSE_S3_KEY": "Access key of the lake's object store.",
    "MILLPOND_WAREHOUSE_S3_SECRET": "Secret key of the lake's object store.",
    "MILLPOND_UI_TOKEN": "Sign-in token of the UI. Blank: generated once, in the file ui_token in MILLPOND_HOME.",
    "MILLPOND_WEBHOOK_SECRETS": "Signs NetSuite's change notifications: the value of its API secret, 32 characters or"
    " more. Of several, separated by commas, each is accepted.",
    "MILLPOND_ALERT_WEBHOOK_URL": "Address that receives alerts as JSON.",
    "MILLPOND_ALERT_WEBHOOK_KEY": "Signs these alerts with HMAC-SHA256 in the header X-Millpond-Signature. Blank:"
    " unsigned.",
    "MILLPOND_ALERT_SLACK_URL": "Incoming webhook of a Slack channel that receives alerts.",
    "MILLPOND_ALERT_MAIL_PASSWORD": "Password of the SMTP user.",
    "NETSUITE_CLIENT_ID": "Client id of the integration record.",
    "NETSUITE_CERTIFICATE_ID": "Certificate id of the machine-to-machine setup.",
    "NETSUITE_CONSUMER_KEY": "Token-based authentication only.",
    "NETSUITE_CONSUMER_SECRET": "Token-based authentication only.",
    "NETSUITE_TOKEN_ID": "Token-based authentication only.",
    "NETSUITE_TOKEN_SECRET": "Token-based authentication only.",
    "SUITEPROJECTS_PASSWORD": "Password of the integration user.",
    "SUITEPROJECTS_KEY": "API key.",
    "SUITEPROJECTS_CLIENT_SECRET": "Secret of the OAuth 2.0 application.",
    "SUITEPROJECTS_ACCESS_TOKEN": "OAuth 2.0 access token, instead of user and password.",
    "PRECORO_TOKEN": "API token of the company.",
}
# the secret of one account, or of one of its connections
_SCOPED = re.compile(
    "|".join(rf"{system}_([A-Z0-9]+_){{1,2}}{rest}" for system, _, rest in (name.partition("_") for name in SECRETS))
)


def secret(name: str, *scopes: str) -> str:
    """Return a secret as a `dg.EnvVar`, or blank when it is not set, since Dagster rejects an unset EnvVar."""
    assert name in SECRETS, name
    variable = env_name(name, *scopes)
    return dg.EnvVar(variable) if os.environ.get(variable) else ""


def secret_value(name: str, *scopes: str) -> str:
    """Return the value of a secret; blank when it is not set."""
    assert name in SECRETS, name
    return os.environ.get(env_name(name, *scopes), "")


def system_secrets(system: str, settings: MillpondSettings, connection: str = "") -> dict[str, Any]:
    """Return one system's secrets by resource field; none in sandbox mode, which has its own credentials."""
    prefix = f"{system.upper()}_"
    names = [] if settings.sandbox else [name for name in SECRETS if name.startswith(prefix)]
    return {name.removeprefix(prefix).lower(): secret(name, settings.account, connection) for name in names}


def secret_variables() -> list[str]:
    """Return the environment variables that hold secrets, including those of accounts and connections."""
    return [name for name in os.environ if name in SECRETS or _SCOPED.fullmatch(name)]
