"""Dagster's webserver behind the sign-in, as its own process: `python -m orchestration.web.webserver …`."""

import secrets
from pathlib import Path

import dagster as dg
import uvicorn
from cyclopts import App
from dagster_webserver.app import create_app_from_workspace_process_context
from filelock import FileLock

from assets.warehouse.run_report.page import REPORTS
from orchestration.configuration.private_files import make_private
from orchestration.configuration.secret_check import MIN_TOKEN, check_secrets
from orchestration.configuration.secret_settings import secret_value
from orchestration.configuration.settings import ROOT, MillpondSettings, split_list
from orchestration.configuration.settings_error import SettingsError
from orchestration.dagster_internals import open_workspace
from orchestration.redaction import install
from orchestration.web.sign_in import Access, SignIn
from resources.atomic_file import write_atomically
from resources.redaction import know

app = App(name="webserver")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


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
    token = file.read_text(encoding="utf-8").strip()
    if len(token) < MIN_TOKEN or not token.isascii():
        raise SettingsError(f"{file} holds no complete token; delete it, and the next start makes a new one")
    know("MILLPOND_UI_TOKEN", token)
    return token


@app.default
def serve(host: str, port: int, *, read_only: bool = False, workspace: Path = ROOT / "workspace.yaml") -> None:
    """Serve until the process is stopped."""
    install()
    settings = MillpondSettings()
    make_private(settings)
    hosts = frozenset({*LOOPBACK, *split_list(settings.ui_allowed_hosts.lower())})
    access = Access(sign_in_token(settings), hosts, [each.warehouse / REPORTS for each in settings.per_account])
    with (
        dg.DagsterInstance.get() as instance,
        open_workspace(instance, workspace, read_only=read_only) as context,
    ):
        uvicorn.run(
            SignIn(create_app_from_workspace_process_context(context), access),
            host=host, port=port, log_level="warning", proxy_headers=False,
        )  # fmt: skip


if __name__ == "__main__":
    app()
