"""Settings from the environment and `.env`; `.env.example` documents each of them.

Secrets are not read here: see `secret_settings.py`.
"""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from orchestration.configuration.env_file import load_env_file
from orchestration.configuration.settings_base import Settings, account_id, usable_home, valid_classes, valid_retention
from orchestration.configuration.settings_error import SettingsError
from resources.warehouse.column_classes import ColumnClass, parse_days

load_env_file()

ROOT = Path(__file__).parents[2]
MAX_DAYS = 36_500
ACCOUNT_NAME = re.compile(r"[a-z][a-z0-9]*")  # part of variable, folder, schema and sensor names
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
BROWSER_HEADERS = frozenset({"authorization", "cookie", "host", "origin", "referer", "user-agent"})


class AccountError(SettingsError):
    """Several accounts are configured and none was selected; the text names the setting."""


def split_list(text: str) -> tuple[str, ...]:
    """Return the items of a comma-separated setting."""
    return tuple(item.strip() for item in text.split(",") if item.strip())


def env_name(name: str, *scopes: str) -> str:
    """Return the variable of one of several accounts or connections.

    PRECORO_TOKEN of the account `acme` and its connection `uk` is PRECORO_ACME_UK_TOKEN; blank scopes are left out.
    """
    system, _, rest = name.partition("_")
    return "_".join([system, *(scope.upper() for scope in scopes if scope), rest])


class MillpondSettings(Settings):
    """Settings of Millpond itself."""

    model_config = SettingsConfigDict(env_prefix="MILLPOND_")

    home: Annotated[Path, AfterValidator(usable_home)] = Field(
        Path(".millpond"), description="Folder of the warehouse, the sandbox and Dagster's storage."
    )
    accounts: str = Field(
        "",
        description="Names of several NetSuite accounts, such as acme,globex: each is a partition with its own home and"
        " its own settings, such as NETSUITE_ACME_ACCOUNT. Blank: one unnamed account.",
    )
    account: str = Field("", description="The account that a command applies to, when there are several.")
    mode: Literal["sandbox", "live"] = Field("sandbox", description="`live` connects to the real systems.")
    workflows: Path = Field(ROOT / "orchestration" / "workflows", description="Folder of the workflow files.")
    overlap_s: int = Field(
        900, ge=0, le=31_536_000, description="Seconds by which each incremental read overlaps the one before it."
    )
    attempts: int = Field(6, ge=1, le=100, description="Maximum attempts per request, with exponential backoff.")
    optional_tables: str = Field(
        "", description="NetSuite tables that may be missing in this account, such as subsidiary,department."
    )
    max_missing_percent: float = Field(
        20, ge=0, le=100, description="Share of a table's ids that may disappear from NetSuite before its load stops."
    )
    verify_days: float = Field(
        7,
        ge=0,
        le=MAX_DAYS,
        description="Days within which the values of every NetSuite row are read again, a share each night, because a"
        " value may change without its date; 0: never.",
    )
    verify_calls: int = Field(
        200,
        ge=1,
        le=1_000_000,
        description="Maximum number of calls for that, per night and NetSuite table; a call reads 1000 rows.",
    )
    memory_mb: int = Field(
        512, ge=128, le=16_777_216, description="Megabytes that DuckDB may use in a step; larger tables spill to disk."
    )
    personal_data: Literal["show", "mask", "empty"] = Field(
        "show",
        description="Personal data in analyst.duckdb: shown, masked by tokens, or emptied. With mask and empty, plans"
        " are printed without values.",
    )
    column_classes: Annotated[str, AfterValidator(valid_classes)] = Field(
        "",
        description="Classes of columns, such as custentity_region=business,custentity_birth=personal; a name stands"
        " for all columns that begin with it. Custom fields are personal by default.",
    )
    share_group: str = Field(
        "", description="Group of this machine that may read analyst.duckdb. Blank: only the user of Millpond."
    )
    approvers: str = Field(
        "",
        description="Users of this machine who may apply, reject, undo, link and switch workflows on the command line,"
        " such as ada,ops. Blank: everyone.",
    )
    keep_history_days: int = Field(
        730,
        ge=0,
        le=MAX_DAYS,
        description="Days to keep ended record versions, decisions and attempts; 0 keeps them forever.",
    )
    retention: Annotated[str, AfterValidator(valid_retention)] = Field(
        "",
        description="Days to keep ended history by class of columns, such as personal=365,business=0,technical=730; 0"
        " keeps it forever. Personal: values of old versions and attempts are emptied; business: old versions are"
        " deleted; technical: old decisions, attempts, runs and plans are. A class that is not named has"
        " MILLPOND_KEEP_HISTORY_DAYS.",
    )
    keep_runs_days: float = Field(30, gt=0, le=MAX_DAYS, description="Days to keep Dagster's runs and their events.")
    keep_plans_days: float = Field(7, gt=0, le=MAX_DAYS, description="Days to keep the values of closed plans.")
    keep_reports_days: float = Field(90, gt=0, le=MAX_DAYS, description="Days to keep run reports, 50 at most.")
    warehouse_catalog: str = Field(
        "",
        description="PostgreSQL catalog of a DuckLake, such as `host=db dbname=millpond user=millpond`; give the"
        " password by PGPASSWORD or a password file. Blank: the warehouse is one DuckDB file.",
    )
    warehouse_data: str = Field("", description="Location of the lake's data files, such as `s3://bucket/warehouse`.")
    warehouse_schema: str = Field("millpond", description="PostgreSQL schema of the lake's catalog.")
    warehouse_s3_endpoint: str = Field(
        "", description="Address of an object store other than Amazon S3, such as `https://store:9000`."
    )
    warehouse_s3_region: str = Field("us-east-1", description="Region of the object store.")
    executor: Literal["in_process", "multiprocess", "celery"] = Field(
        "in_process",
        description="How a run executes its steps; the last two need a lake, and `celery` a broker as well.",
    )
    celery_broker: str = Field("", description="Celery broker, such as `redis://queue:6379/0`.")
    ui_allowed_hosts: str = Field("", description="Host names of the UI besides localhost, such as ops.example.com.")
    ui_token_role: Literal["", "viewer", "operator", "approver"] = Field(
        "",
        description="Role of whoever signs in with the sign-in token. Blank: approver, until there are users or a"
        " sign-in proxy, which switch the token off.",
    )
    ui_proxies: str = Field(
        "",
        description="Addresses of a reverse proxy in front of the UI that adds the address of its client to"
        " X-Forwarded-For, such as 10.0.0.5,10.1.2.0/24; without them its clients share one limit of wrong passwords.",
    )
    auth_header: str = Field(
        "",
        description="Header in which a sign-in proxy names the user, such as X-Forwarded-User; needs"
        " MILLPOND_AUTH_PROXIES.",
    )
    auth_proxies: str = Field(
        "", description="Addresses of that proxy, such as 10.0.0.5,10.1.2.0/24; the header is refused from all others."
    )
    auth_role: Literal["", "viewer", "operator", "approver"] = Field(
        "",
        description="Role of people whom the proxy names and `millpond user` does not know. Blank: they are refused.",
    )
    webhook_port: int = Field(8378, ge=0, le=65535, description="Port of `millpond webhook`.")
    webhook_host: str = Field(
        "127.0.0.1", description="Address that `millpond webhook` listens on; put a TLS proxy in front of it."
    )
    webhook_allowed_hosts: str = Field(
        "", description="Host names by which NetSuite reaches the webhook, such as hooks.example.com."
    )
    webhook_window_s: float = Field(
        300, gt=0, le=3600, description="Maximum difference in seconds between a notification's timestamp and now."
    )
    webhook_max_bytes: int = Field(4096, ge=256, le=1_048_576, description="Maximum size of a change notification.")
    realtime_burst: int = Field(
        200, ge=1, le=1_000_000, description="Pending records above which one full run replaces real-time updates."
    )
    realtime_wait_s: float = Field(
        14.3, ge=0, le=50, description="Seconds that one sensor tick waits for a change notification; 0 checks once."
    )
    realtime_linger_s: float = Field(
        20, ge=0, le=240, description="Seconds that a real-time run waits for further notifications; 0 ends at once."
    )

    @field_validator("accounts")
    @classmethod
    def _are_account_names(cls, given: str) -> str:
        names = split_list(given)
        if any(not ACCOUNT_NAME.fullmatch(name) for name in names) or len(set(names)) < len(names):
            raise ValueError("use distinct names of lower-case letters and digits, such as acme,globex")
        return given

    @field_validator("account")
    @classmethod
    def _is_known_account(cls, given: str, info: ValidationInfo) -> str:
        known = info.data.get("accounts", given)  # missing if it is itself invalid
        if given and given not in split_list(known):
            raise ValueError(f"no account {given} in MILLPOND_ACCOUNTS ({known})")
        return given

    @field_validator("auth_proxies")
    @classmethod
    def _belongs_to_a_header(cls, given: str, info: ValidationInfo) -> str:
        header = info.data.get("auth_header", "")
        if bool(header) != bool(given):
            raise ValueError("MILLPOND_AUTH_HEADER and MILLPOND_AUTH_PROXIES are set together, or neither")
        if header and (not HEADER_NAME.fullmatch(header) or header.lower() in BROWSER_HEADERS):
            raise ValueError(f"MILLPOND_AUTH_HEADER: {header} cannot name the user; use one such as X-Forwarded-User")
        return given

    @field_validator("ui_proxies", "auth_proxies")
    @classmethod
    def _are_addresses(cls, given: str) -> str:
        try:
            networks = [ip_network(each) for each in split_list(given)]
        except ValueError as error:
            raise ValueError(f"{error}; use addresses such as 10.0.0.5,10.1.2.0/24") from None
        if any(each.prefixlen == 0 for each in networks):
            raise ValueError("this is every address, so anyone could be the proxy; list those of the proxy")
        return given

    @property
    def ui_proxy_networks(self) -> list[IPv4Network | IPv6Network]:
        """The addresses from which a reverse proxy's header is believed."""
        return [ip_network(each) for each in split_list(self.ui_proxies)]

    @property
    def auth_proxy_networks(self) -> list[IPv4Network | IPv6Network]:
        """The addresses from which the sign-in proxy's header is believed."""
        return [ip_network(each) for each in split_list(self.auth_proxies)]

    @property
    def retention_days(self) -> dict[ColumnClass, int]:
        """Days to keep ended history, by class of columns."""
        return parse_days(self.retention, self.keep_history_days)

    @property
    def account_names(self) -> tuple[str, ...]:
        """The accounts' names; empty for one unnamed account."""
        return split_list(self.accounts)

    @property
    def per_account(self) -> list["MillpondSettings"]:
        """The settings of every account."""
        return [self.for_account(name) for name in self.account_names or ("",)]

    def for_account(self, account: str) -> "MillpondSettings":
        """Return the settings of one account; blank: of the only one."""
        return self.model_copy(update={"account": account})

    @property
    def is_account_selected(self) -> bool:
        """True if there is only one account, or one of several is selected."""
        return bool(self.account) or not self.account_names

    @property
    def account_home(self) -> Path:
        """Folder of one account's files; AccountError if there are several accounts and none was selected."""
        if not self.is_account_selected:
            raise AccountError(f"select an account: set MILLPOND_ACCOUNT to one of {', '.join(self.account_names)}")
        return self.home.absolute() / "accounts" / self.account if self.account else self.home.absolute()

    @property
    def lake_schema(self) -> str:
        """PostgreSQL schema of the account's lake."""
        return f"{self.warehouse_schema}_{self.account}" if self.account else self.warehouse_schema

    @property
    def lake_data(self) -> str:
        """Location of the data files of the account's lake; blank when not set."""
        return f"{self.warehouse_data}/{self.account}" if self.account and self.warehouse_data else self.warehouse_data

    @property
    def warehouse(self) -> Path:
        """Folder of the warehouse file and of analyst.duckdb."""
        return self.account_home / "warehouse"

    @property
    def ui_token(self) -> Path:
        """The file with the UI's sign-in token."""
        return self.home.absolute() / "ui_token"

    @property
    def users(self) -> Path:
        """The file of the UI's named users."""
        return self.home.absolute() / "users.json"

    @property
    def alerts(self) -> Path:
        """The SQLite file of open alerts."""
        return self.account_home / "alerts.sqlite"

    @property
    def sandbox(self) -> str:
        """The sandbox's folder; blank in live mode."""
        return str(self.account_home / "sandbox") if self.mode == "sandbox" else ""

    @property
    def approver_names(self) -> frozenset[str]:
        """Users who may decide about plans and links; empty: everyone."""
        return frozenset(split_list(self.approvers))

    @property
    def optional_table_names(self) -> frozenset[str]:
        """NetSuite's names of the tables that may be missing."""
        return frozenset(split_list(self.optional_tables.lower()))

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's storage."""
        return self.home.absolute() / "dagster"


class AlertSettings(Settings):
    """Settings of alerts and their receivers, without secrets."""

    model_config = SettingsConfigDict(env_prefix="MILLPOND_ALERT_")

    record_limit: int = Field(
        10,
        ge=0,
        le=1_000_000_000,
        description="Alert when more than this many records are not sent for the same reason.",
    )
    ui_url: str = Field("", description="Address of the UI for links in alerts, such as https://ops.example.com.")
    slack_host: str = Field("hooks.slack.com", description="Host that MILLPOND_ALERT_SLACK_URL must belong to.")
    mail_host: str = Field("", description="SMTP server. Blank: no mail.")
    mail_port: int = Field(587, ge=1, le=65535, description="Port of the SMTP server: 587 for starttls, 465 for tls.")
    mail_tls: Literal["starttls", "tls", "none"] = Field("starttls", description="Encryption of the SMTP connection.")
    mail_ca_file: str = Field(
        "", description="PEM file of the certificate authority of the SMTP server. Blank: the system's authorities."
    )
    mail_user: str = Field("", description="SMTP user. Blank: no sign-in.")
    mail_from: str = Field("", description="Sender address.")
    mail_to: str = Field("", description="Recipient addresses, such as ops@example.com,me@example.com.")


class NetSuiteSettings(Settings):
    """NetSuite's address and sign-in, without secrets."""

    model_config = SettingsConfigDict(env_prefix="NETSUITE_")

    account: Annotated[str, AfterValidator(account_id)] = Field(
        "", description="Account id, such as 1234567 or 1234567_SB1."
    )
    base_url: str = Field("", description="Base URL. Blank: derived from the account id.")
    auth: Literal["oauth2", "tba"] = Field(
        "oauth2", description="OAuth 2.0 client credentials (oauth2) or token-based authentication (tba)."
    )
    private_key_file: str = Field("", description="PEM file of the certificate's private key.")
    concurrency: int = Field(
        4, ge=1, le=1000, description="Maximum concurrent requests; set it one below the account's concurrency limit."
    )
    language: str = Field(
        "",
        description="Code of the company's default language, such as de, if the integration user has a different one."
        " Blank: not sent.",
    )


class SuiteProjectsSettings(Settings):
    """SuiteProjects Pro's address and sign-in, without secrets."""

    model_config = SettingsConfigDict(env_prefix="SUITEPROJECTS_")

    base_url: str = Field("", description="Base URL: https://<company>.app.netsuitesuiteprojectspro.com")
    company: str = Field("", description="Company id of the account.")
    user: str = Field("", description="User id of the integration user.")
    namespace: str = Field("default", description="API namespace, issued by Oracle with the API key.")
    client_id: str = Field(
        "", description="OAuth 2.0 application, instead of user and password; run `millpond login suiteprojects` once."
    )
    redirect_uri: str = Field("http://127.0.0.1:8377/", description="Registered redirect URI of the application.")
    refresh_days: float = Field(
        0,
        ge=0,
        le=MAX_DAYS,
        description="Lifetime of a refresh token in days, as configured in the account. 0: unknown.",
    )
    token_file: str = Field("", description="File of the OAuth tokens. Blank: in MILLPOND_HOME.")


class PrecoroSettings(Settings):
    """Precoro's address and sign-in, without secrets."""

    model_config = SettingsConfigDict(env_prefix="PRECORO_")

    region: Literal["com", "us"] = Field("com", description="Region of the account: com or us.")
    base_url: str = Field("", description="Base URL. Blank: derived from the region.")
    email: str = Field("", description="E-mail address of the token's user.")
    spacing_s: float = Field(
        1.1, ge=1.0, le=3600, description="Minimum seconds between two requests; Precoro allows one per second."
    )


SETTINGS = (MillpondSettings, AlertSettings, NetSuiteSettings, SuiteProjectsSettings, PrecoroSettings)


def netsuite_settings(account: str = "") -> NetSuiteSettings:
    """Return one account's settings: NETSUITE_…, or NETSUITE_<ACCOUNT>_… when accounts are named."""
    return NetSuiteSettings(_env_prefix=env_name("NETSUITE_", account))


def suiteprojects_settings(account: str = "") -> SuiteProjectsSettings:
    """Return one account's settings: SUITEPROJECTS_…, or SUITEPROJECTS_<ACCOUNT>_… when accounts are named."""
    return SuiteProjectsSettings(_env_prefix=env_name("SUITEPROJECTS_", account))


def precoro_settings(account: str = "", connection: str = "") -> PrecoroSettings:
    """Return one company's settings: PRECORO_…, or PRECORO_<CONNECTION>_… for a workflow's `connection`."""
    return PrecoroSettings(_env_prefix=env_name("PRECORO_", account, connection))
