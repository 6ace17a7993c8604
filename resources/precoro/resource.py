"""Dagster resource of Precoro."""

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg
from pydantic import Field

from resources.http import ATTEMPTS
from resources.precoro.client import PrecoroClient
from resources.precoro.connect import SPACING_S, open_precoro


class PrecoroResource(dg.ConfigurableResource[PrecoroClient]):
    """Account, host and call rate of one Precoro company."""

    token: str = Field(default="", description="The company's API token; a secret, so give dg.EnvVar.")
    email: str = Field(default="", description="Email of the token's user.")
    region: str = Field(default="com", description="com or us: region of the account.")
    base_url: str = Field(default="", description="A host instead of the region's, without a trailing slash.")
    budget_file: str = Field(
        default="",
        description="SQLite file that counts calls, shared by all processes that use this token;"
        " empty: .millpond/precoro_budget.sqlite in the home folder, or the sandbox's own. `postgres:` and libpq's"
        " connection string: a database, for processes of many machines.",
    )
    spacing_s: float = Field(default=SPACING_S, description="Seconds between two calls; Precoro allows one a second.")
    attempts: int = Field(default=ATTEMPTS, description="Maximum attempts per request, with exponential backoff.")
    connection: str = Field(default="", description="Name of the company if there are several; for error texts.")
    sandbox: str = Field(default="", description="Folder of a sandbox to call instead of Precoro.")
    ca_file: str = Field(default="", description="A certificate authority to trust, for a sandbox behind TLS.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[PrecoroClient]:  # noqa: ARG002
        """Yield a plain client on one connection."""
        settings = {name: getattr(self, name) for name in type(self).model_fields}
        with open_precoro(**settings) as client:
            yield client
