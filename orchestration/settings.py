"""Settings from the environment and `.env`; every name stands in `.env.example`.

Secrets are not read here: they reach the resources as `dg.EnvVar`, so that the UI shows names only.
"""

import os
import re
from pathlib import Path
from typing import Any, Literal, Self

import dagster as dg
from dotenv import find_dotenv, load_dotenv
from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from resources.clock import Clock, WallClock

load_dotenv(find_dotenv(usecwd=True))

ROOT = Path(__file__).parent.parent


ACCOUNT = re.compile(r"[a-z][a-z0-9]*")  # it becomes part of variables, folders, schemas and names of sensors


class AccountError(ValueError):
    """There are several accounts, and none was named; the text says how."""


def _listed(given: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in given.split(",") if name.strip())


class MillpondSettings(BaseSettings):
    """Where things lie and which world is spoken to."""

    model_config = SettingsConfigDict(env_prefix="MILLPOND_", env_ignore_empty=True)

    home: Path = Field(Path(".millpond"), description="Folder of the warehouse, the sandbox and Dagster's own records.")
    accounts: str = Field(
        "",
        description="Several NetSuite accounts in one place, each a partition with a home and keys of its own:"
        " acme,globex; their settings are NETSUITE_ACME_ACCOUNT and so on. Blank: one account without a name.",
    )
    account: str = Field("", description="The one of them that a command is about.")
    mode: Literal["sandbox", "live"] = Field("sandbox", description="`live` speaks to the real systems.")
    workflows: Path = Field(ROOT / "orchestration" / "workflows", description="Folder of the workflow files.")
    overlap_s: int = Field(900, ge=0, description="Seconds that each incremental read goes back before the last one.")
    attempts: int = Field(6, ge=1, description="Tries of one request that gets no answer; the waits between them grow.")
    optional_tables: str = Field(
        "", description="NetSuite tables that this account does not have and that stay empty: subsidiary,department."
    )
    personal: Literal["show", "mask", "empty"] = Field(
        "show",
        description="What analyst.duckdb shows of personal values: all, tokens or nothing; but for `show` plans are"
        " printed without any value.",
    )
    keep_days: int = Field(
        730,
        ge=0,
        description="Days for which `millpond compact` keeps what ended: versions, decisions, sends; 0: for ever.",
    )
    warehouse_catalog: str = Field(
        "",
        description="PostgreSQL with the catalog of a DuckLake, like `host=db dbname=millpond user=millpond`; the"
        " password by PGPASSWORD or a password file. Empty: the warehouse is one DuckDB file.",
    )
    warehouse_data: str = Field("", description="Where the lake's data files are, like `s3://bucket/warehouse`.")
    warehouse_schema: str = Field("millpond", description="PostgreSQL schema of the lake's catalog.")
    warehouse_s3_endpoint: str = Field("", description="Object store that is not Amazon's, like `https://store:9000`.")
    warehouse_s3_region: str = Field("us-east-1", description="Region of the object store.")
    executor: Literal["in_process", "multiprocess", "celery"] = Field(
        "in_process", description="Where a run's steps are done; the last two need a lake, `celery` a broker as well."
    )
    celery_broker: str = Field("", description="Broker of the workers, like `redis://queue:6379/0`.")
    ui_names: str = Field("", description="Host names by which the UI is reached besides localhost: ops.example.com.")
    webhook_port: int = Field(8378, description="Port of `millpond webhook`.")
    webhook_host: str = Field(
        "127.0.0.1", description="Address that it listens on: loopback, behind what speaks https to NetSuite."
    )
    webhook_names: str = Field("", description="Host names by which NetSuite reaches it: hooks.example.com.")
    webhook_window_s: float = Field(
        300, gt=0, le=3600, description="Seconds that the time stamp of a change notification may differ from now."
    )
    webhook_most_bytes: int = Field(4096, ge=256, description="Longest change notification.")
    realtime_burst: int = Field(
        200, ge=1, description="When more saved records wait than this, a run of all takes them instead."
    )
    realtime_wait_s: float = Field(
        14.3,
        ge=0,
        le=50,
        description="Seconds that the sensor waits for a change notification in one look; 0 looks once.",
    )
    realtime_linger_s: float = Field(
        20, ge=0, le=240, description="Seconds that a run for saved records waits for more of them; 0 ends at once."
    )
    releasers: str = Field(
        "", description="Accounts of this machine that may apply, reject, undo and link: ada, ops; blank: all of them."
    )
    keep_runs_days: float = Field(30, gt=0, description="Days for which Dagster's runs and their events are kept.")
    keep_plans_days: float = Field(
        7, gt=0, description="Days for which values of plans are kept that were sent or not."
    )
    keep_reports_days: float = Field(90, gt=0, description="Days for which reports of runs are kept, fifty at most.")
    vanished_percent: float = Field(20, ge=0, le=100, description="Share of missing ids that stops a table's load.")

    @field_validator("accounts")
    @classmethod
    def _are_names(cls, given: str) -> str:
        names = _listed(given)
        if any(not ACCOUNT.fullmatch(name) for name in names) or len(set(names)) < len(names):
            raise ValueError("write names like acme,globex: small letters and digits, each once")
        return given

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.account and self.account not in self.names:
            raise ValueError(f"MILLPOND_ACCOUNT: no account {self.account} in MILLPOND_ACCOUNTS ({self.accounts})")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The accounts' names; none when there is but one account."""
        return _listed(self.accounts)

    @property
    def each(self) -> list["MillpondSettings"]:
        """The settings of every account."""
        return [self.of(name) for name in self.names or ("",)]

    def of(self, account: str) -> "MillpondSettings":
        """The settings of one account; blank: of the only one."""
        return self.model_copy(update={"account": account})

    @property
    def own(self) -> Path:
        """Folder of what one account has for itself.

        Raises:
            AccountError: There are several, and none was named.
        """
        if self.names and not self.account:
            raise AccountError(f"say which account: MILLPOND_ACCOUNT, one of {', '.join(self.names)}")
        return self.home.absolute() / "accounts" / self.account if self.account else self.home.absolute()

    @property
    def lake_schema(self) -> str:
        """PostgreSQL schema of the account's lake."""
        return f"{self.warehouse_schema}_{self.account}" if self.account else self.warehouse_schema

    @property
    def lake_data(self) -> str:
        """Where the data files of the account's lake are; blank while it is not set."""
        return f"{self.warehouse_data}/{self.account}" if self.account and self.warehouse_data else self.warehouse_data

    @property
    def warehouse(self) -> Path:
        """Folder of stage.duckdb and analyst.duckdb."""
        return self.own / "warehouse"

    @property
    def ui_token(self) -> Path:
        """The file with the token that signs in to the UI."""
        return self.home.absolute() / "ui_token"

    @property
    def alerts(self) -> Path:
        """What alerting remembers."""
        return self.own / "alerts.sqlite"

    @property
    def sandbox(self) -> str:
        """The sandbox's folder; empty when the real systems are spoken to."""
        return str(self.own / "sandbox") if self.mode == "sandbox" else ""

    @property
    def may_decide(self) -> frozenset[str]:
        """Who may decide by hand; empty: everybody."""
        return frozenset(_listed(self.releasers))

    @property
    def optional(self) -> frozenset[str]:
        """NetSuite's names of the tables that may be missing."""
        return frozenset(_listed(self.optional_tables.lower()))

    @property
    def dagster_home(self) -> Path:
        """Dagster's own records."""
        return self.home.absolute() / "dagster"


def warehouse_clock(settings: MillpondSettings) -> Clock:
    """The time that the warehouse's tables are written by: the sandbox has its own."""
    from resources.sandbox.sandbox import Sandbox

    return Sandbox(Path(settings.sandbox)).clock if settings.sandbox else WallClock()


class AlertSettings(BaseSettings):
    """Who is told when something is wrong, but for the secrets."""

    model_config = SettingsConfigDict(env_prefix="MILLPOND_ALERT_", env_ignore_empty=True)

    held: int = Field(10, ge=0, description="More records than these, held back by one cause, are told.")
    link: str = Field("", description="Address of the UI, for links in messages: https://ops.example.com.")
    slack_host: str = Field("hooks.slack.com", description="Host that MILLPOND_ALERT_SLACK_URL must be an address of.")
    mail_host: str = Field("", description="SMTP server; blank: no mail is sent.")
    mail_port: int = Field(587, ge=1, le=65535, description="Its port: 587 for starttls, 465 for tls.")
    mail_tls: Literal["starttls", "tls", "none"] = Field("starttls", description="How the line is secured.")
    mail_ca_file: str = Field(
        "", description="PEM file of the authority that vouches for the server; blank: the usual."
    )
    mail_user: str = Field("", description="User at the SMTP server; blank: no sign-in.")
    mail_from: str = Field("", description="Address that mail comes from.")
    mail_to: str = Field("", description="Addresses that get mail: ops@example.com,me@example.com.")


class NetSuiteSettings(BaseSettings):
    """NetSuite's address and sign-in, but for the secrets."""

    model_config = SettingsConfigDict(env_prefix="NETSUITE_", env_ignore_empty=True)

    account: str = Field("", description="Account id, such as 1234567 or 1234567_SB1.")
    base_url: str = Field("", description="Empty: made from the account id.")
    auth: Literal["oauth2", "tba"] = Field("oauth2", description="OAuth 2.0 client credentials, or token-based.")
    private_key_file: str = Field("", description="PEM file of the certificate's private key.")
    concurrency: int = Field(4, ge=1, description="Requests at once; one under what the account grants.")


class SuiteProjectsSettings(BaseSettings):
    """SuiteProjects Pro's address and account, but for the secrets."""

    model_config = SettingsConfigDict(env_prefix="SUITEPROJECTS_", env_ignore_empty=True)

    base_url: str = Field("", description="https://<company>.app.netsuitesuiteprojectspro.com")
    company: str = Field("", description="Company id of the account.")
    user: str = Field("", description="User of the integration.")
    namespace: str = Field("default", description="API namespace that Oracle gave out with the key.")
    client_id: str = Field(
        "", description="OAuth 2.0 application, instead of user and password; `millpond login suiteprojects` once."
    )
    redirect_uri: str = Field(
        "http://127.0.0.1:8377/", description="The application's redirect address, as registered."
    )
    refresh_days: float = Field(
        0, ge=0, description="Days that a refresh token lives, as set in the account; 0: not known."
    )
    token_file: str = Field("", description="File that keeps the OAuth tokens; empty: in MILLPOND_HOME.")


def suiteprojects_connection(settings: MillpondSettings) -> dict[str, Any]:
    """The settings of SuiteProjects Pro's client but for the secrets; the sandbox has its own of most of them."""
    own = SuiteProjectsSettings(_env_prefix=of_one("SUITEPROJECTS_", settings.account))
    file = own.token_file or str(settings.own / "suiteprojects_tokens.json")
    given = own.model_dump() if not settings.sandbox else {"redirect_uri": own.redirect_uri}
    return {**given, "token_file": file, "attempts": settings.attempts, "sandbox": settings.sandbox}


class PrecoroSettings(BaseSettings):
    """Precoro's address, but for the secrets."""

    model_config = SettingsConfigDict(env_prefix="PRECORO_", env_ignore_empty=True)

    region: Literal["com", "us"] = Field("com", description="com or us: where the account lives.")
    base_url: str = Field("", description="Empty: made from the region.")
    email: str = Field("", description="E-mail of the user whose token it is.")
    spacing_s: float = Field(1.1, ge=1.0, description="Seconds between two calls; Precoro allows one a second.")


def netsuite_settings(account: str = "") -> NetSuiteSettings:
    """The settings of one account: NETSUITE_…, or NETSUITE_<ACCOUNT>_… where accounts are named."""
    return NetSuiteSettings(_env_prefix=of_one("NETSUITE_", account))


def precoro_settings(connection: str = "", account: str = "") -> PrecoroSettings:
    """The settings of one company: PRECORO_…, or PRECORO_<CONNECTION>_… where workflows name a connection."""
    return PrecoroSettings(_env_prefix=of_one("PRECORO_", account, connection))


SETTINGS = (MillpondSettings, AlertSettings, NetSuiteSettings, SuiteProjectsSettings, PrecoroSettings)

SECRETS = {
    "MILLPOND_SEAL_KEY": "Seals the values of plans at rest: 32 bytes in URL-safe base64; of several with commas the"
    " first seals and each opens; blank: readable.",
    "MILLPOND_WAREHOUSE_S3_KEY": "Access key of the lake's object store.",
    "MILLPOND_WAREHOUSE_S3_SECRET": "Secret key of the lake's object store.",
    "MILLPOND_UI_TOKEN": "Signs in to the UI; blank: one is made, in the file ui_token in Millpond's home.",
    "MILLPOND_WEBHOOK_SECRETS": "What NetSuite's change notifications are signed with: the text of its API secret, 32 characters or"
    " more; of several with commas each is taken.",
    "MILLPOND_ALERT_WEBHOOK_URL": "Address that gets alerts as JSON.",
    "MILLPOND_ALERT_WEBHOOK_KEY": "Signs them: HMAC-SHA256 in the header X-Millpond-Signature; blank: unsigned.",
    "MILLPOND_ALERT_SLACK_URL": "Incoming webhook of a Slack channel that gets alerts.",
    "MILLPOND_ALERT_MAIL_PASSWORD": "Password of the SMTP user.",
    "NETSUITE_CLIENT_ID": "Client id of the integration record.",
    "NETSUITE_CERTIFICATE_ID": "Certificate id of the machine-to-machine set-up.",
    "NETSUITE_CONSUMER_KEY": "Token-based only.",
    "NETSUITE_CONSUMER_SECRET": "Token-based only.",
    "NETSUITE_TOKEN_ID": "Token-based only.",
    "NETSUITE_TOKEN_SECRET": "Token-based only.",
    "SUITEPROJECTS_PASSWORD": "Password of the integration's user.",
    "SUITEPROJECTS_KEY": "API key.",
    "SUITEPROJECTS_CLIENT_SECRET": "Secret of the OAuth 2.0 application.",
    "SUITEPROJECTS_ACCESS_TOKEN": "OAuth 2.0 access token, instead of user and password.",
    "PRECORO_TOKEN": "API token of the company.",
}


def secret(name: str, account: str = "", connection: str = "") -> str:
    """A secret for a resource's field: its name only, or blank when it is not set.

    Dagster refuses an EnvVar that is not set, even where the other way to sign in is used.
    """
    assert name in SECRETS, name
    variable = of_one(name, account, connection)
    return dg.EnvVar(variable) if os.environ.get(variable) else ""


def secret_variables() -> list[str]:
    """The environment's variables that hold secrets, those of named connections included."""
    return [name for name in os.environ if name in SECRETS or _OF_ONE.fullmatch(name)]


# a secret of one of several accounts, or of one of its companies
_OF_ONE = re.compile(
    "|".join(rf"{system}_([A-Z0-9]+_){{1,2}}{rest}" for system, _, rest in (name.partition("_") for name in SECRETS))
)


def of_one(name: str, *which: str) -> str:
    """A variable's name for one of several: PRECORO_TOKEN of `acme` and its company `uk` is PRECORO_ACME_UK_TOKEN."""
    system, _, rest = name.partition("_")
    return "_".join([system, *(each.upper() for each in which if each), rest])
