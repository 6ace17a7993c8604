"""Dagster's webserver behind the sign-in, as its own process: `python -m orchestration.web.webserver …`."""

import os
import secrets

import dagster as dg
import uvicorn
from cyclopts import App
from dagster_webserver.app import create_app_from_workspace_process_context

from assets.warehouse.snapshot import REPORTS
from orchestration.dagster_internals import open_workspace
from orchestration.secret_settings import secret_value
from orchestration.settings import ROOT, MillpondSettings, split_list
from orchestration.web.sign_in import Access, SignIn

app = App(name="webserver")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def sign_in_token(settings: MillpondSettings) -> str:
    """Return the configured sign-in token, or one that is generated once, in a file only its owner can read."""
    configured = secret_value("MILLPOND_UI_TOKEN")
    if configured:
        return configured
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(settings.ui_token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24))
    except FileExistsError:
        pass
    return settings.ui_token.read_text().strip()


@app.default
def serve(host: str, port: int, *, read_only: bool = False) -> None:
    """Serve until the process is stopped."""
    settings = MillpondSettings()
    hosts = frozenset({*LOOPBACK, *split_list(settings.ui_allowed_hosts.lower())})
    access = Access(sign_in_token(settings), hosts, [each.warehouse / REPORTS for each in settings.per_account])
    with (
        dg.DagsterInstance.get() as instance,
        open_workspace(instance, ROOT / "workspace.yaml", read_only=read_only) as context,
    ):
        uvicorn.run(
            SignIn(create_app_from_workspace_process_context(context), access),
            host=host, port=port, log_level="warning", proxy_headers=False,
        )  # fmt: skip


if __name__ == "__main__":
    app()
