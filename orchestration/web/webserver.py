"""Dagster's webserver behind the sign-in, as its own process: `python -m orchestration.web.webserver …`."""

import secrets
from dataclasses import replace
from pathlib import Path
from threading import Thread

import dagster as dg
import uvicorn
from cyclopts import App
from filelock import FileLock

from assets.warehouse.run_report.page import REPORTS
from orchestration.configuration.private_files import make_private
from orchestration.configuration.secret_check import MIN_TOKEN, check_secrets
from orchestration.configuration.secret_settings import secret_value
from orchestration.configuration.settings import ROOT, MillpondSettings, split_list
from orchestration.configuration.settings_error import SettingsError
from orchestration.dagster_internals import before_storing, open_workspace
from orchestration.redaction import install
from orchestration.request_timeout import RequestTimeoutProtocol
from orchestration.server_log import limit_warnings
from orchestration.web.access import Access
from orchestration.web.console.beside_dagster import BesideDagster
from orchestration.web.console.routes import console
from orchestration.web.console.warm import warm
from orchestration.web.dagster_guard import GuardedWebserver, checked_backfill, checked_run
from orchestration.web.guide import guide
from orchestration.web.identity import Role
from orchestration.web.sign_in import SignIn
from orchestration.web.sign_in_proxy import SignInProxy
from orchestration.web.users import Users
from resources.atomic_file import write_atomically
from resources.redaction import know

app = App(name="webserver")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAX_CONNECTIONS = 300  # at once; below the 1,024 files that a process may usually have open
MAX_HEADERS = 64 * 1024  # bytes; an address of Dagster's pages may name many assets


def sign_in_token(settings: MillpondSettings) -> str:
    """Return the configured sign-in token, or one that is generated once, in a file only its owner can read.

    Raises:
        SettingsError: It is too short, or the file holds none.
    """
    check_secrets()
    configured = secret_value("MILLPOND_UI_TOKEN")
    if configured:
        return configured
    file = settings.ui_token
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock", mode=0o600):
        if not file.exists():
            write_atomically(file, secrets.token_urlsafe(24), mode=0o600)
        elif file.stat().st_mode & 0o077:
            file.chmod(0o600)
    try:
        token = file.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if len(token) < MIN_TOKEN or not token.isprintable():
        raise SettingsError(f"{file} holds no complete token; delete it, and the next start makes a new one")
    know("MILLPOND_UI_TOKEN", token)
    return token


def access_of(settings: MillpondSettings, *, read_only: bool = False) -> Access:
    """Return the credentials of the UI: users, the sign-in proxy, and the token as long as it is on."""
    access = Access(
        token="",
        hosts=frozenset({*LOOPBACK, *split_list(settings.ui_allowed_hosts.lower())}),
        reports=[each.warehouse / REPORTS for each in settings.per_account],
        users=Users(settings.users),
        proxy=SignInProxy.of(settings),
        token_role=Role(settings.ui_token_role) if settings.ui_token_role else None,
        read_only=read_only,
        reverse_proxies=settings.ui_proxy_networks,
    )
    return replace(access, token=sign_in_token(settings)) if access.role_of_token else access


@app.default
def serve(host: str, port: int, *, read_only: bool = False, workspace: Path = ROOT / "workspace.yaml") -> None:
    """Serve until the process is stopped."""
    install()
    try:
        settings = MillpondSettings()
        make_private(settings)
        access = access_of(settings, read_only=read_only)
    except SettingsError as error:
        raise SystemExit(str(error)) from None
    with dg.DagsterInstance.get() as instance, open_workspace(instance, workspace, read_only=read_only) as context:
        before_storing(instance, checked_run, checked_backfill)
        dagster = GuardedWebserver(context).create_asgi_app()
        pages = console(settings, dagster)
        Thread(target=warm, args=[pages.state.site], daemon=True).start()
        limit_warnings()
        uvicorn.run(
            SignIn(BesideDagster(pages, dagster, guide()), access),
            host=host, port=port, log_level="warning", proxy_headers=False, limit_concurrency=MAX_CONNECTIONS,
            http=RequestTimeoutProtocol, h11_max_incomplete_event_size=MAX_HEADERS,
        )  # fmt: skip


if __name__ == "__main__":
    app()
