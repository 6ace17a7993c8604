"""Precoro for Dagster: the settings, and the plain client that assets get. Without Dagster: `connect.py`."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from pydantic import Field

from resources.http import ATTEMPTS
from resources.precoro.client import PrecoroClient
from resources.precoro.connect import SPACING_S, open_precoro


class PrecoroResource(dg.ConfigurableResource[PrecoroClient]):
    """Where Precoro is, how to sign in, and how fast to call."""

    token: str = Field(default="", description="The company's API token; a secret, so give dg.EnvVar.")
    email: str = Field(default="", description="E-mail of the user whose token it is.")
    region: str = Field(default="com", description="com or us: where the account lives.")
    base_url: str = Field(default="", description="A host instead of the region's, without a trailing slash.")
    budget_file: str = Field(
        default="",
        description="SQLite file in which calls are counted, shared by all processes that use this token;"
        " empty: .millpond/precoro_budget.sqlite in the home folder, or the sandbox's own.",
    )
    spacing_s: float = Field(default=SPACING_S, description="Seconds between two calls; Precoro allows one a second.")
    attempts: int = Field(default=ATTEMPTS, description="Tries of one request that gets no answer.")
    connection: str = Field(default="", description="Name of the company, when there are several; for messages.")
    sandbox: str = Field(default="", description="A sandbox folder to call instead of Precoro.")
    ca_file: str = Field(default="", description="A certificate authority to trust, for a sandbox behind TLS.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[PrecoroClient]:  # noqa: ARG002 - Dagster's signature
        """Open one connection for the run and close it whatever happens."""
        with self.open() as client:
            yield client

    @contextmanager
    def open(self) -> Iterator[PrecoroClient]:
        """The client, outside a run."""
        with open_precoro(
            token=self.token,
            email=self.email,
            region=self.region,
            base_url=self.base_url,
            budget_file=self.budget_file,
            spacing_s=self.spacing_s,
            attempts=self.attempts,
            connection=self.connection,
            sandbox=self.sandbox,
            ca_file=self.ca_file,
        ) as client:
            yield client
