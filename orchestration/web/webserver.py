"""Dagster's webserver behind the guard, as a process of its own: `python -m orchestration.web.webserver …`."""

import os
import secrets

import dagster as dg
import uvicorn
from cyclopts import App
from dagster._cli.workspace.cli_target import workspace_opts_to_load_target
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster_shared.cli import WorkspaceOpts
from dagster_webserver.app import create_app_from_workspace_process_context

from assets.warehouse.snapshot import REPORTS
from orchestration.settings import ROOT, MillpondSettings
from orchestration.web.sign_in import Access, Guard

app = App(name="webserver")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def sign_in_token(settings: MillpondSettings) -> str:
    """The token that signs in: the configured one, or one that is made once and kept for its owner alone."""
    given = os.environ.get("MILLPOND_UI_TOKEN", "")
    if given:
        return given
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(settings.ui_token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24))
    except FileExistsError:
        pass
    return settings.ui_token.read_text().strip()


@app.default
def serve(host: str, port: int, *, read_only: bool = False) -> None:
    """Serve until the process is told to end."""
    settings = MillpondSettings()
    names = frozenset({*LOOPBACK, *(name.strip().lower() for name in settings.ui_names.split(",") if name.strip())})
    access = Access(sign_in_token(settings), names, [each.warehouse / REPORTS for each in settings.each])
    target = workspace_opts_to_load_target(WorkspaceOpts(workspace=(str(ROOT / "workspace.yaml"),)))
    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, read_only=read_only, workspace_load_target=target) as context,
    ):
        uvicorn.run(
            Guard(create_app_from_workspace_process_context(context), access),
            host=host, port=port, log_level="warning", proxy_headers=False,
        )  # fmt: skip


if __name__ == "__main__":
    app()
