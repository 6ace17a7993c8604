"""Dagster resource of NetSuite."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

import dagster as dg
from pydantic import Field

from resources.http import ATTEMPTS
from resources.netsuite.client import NetSuiteClient
from resources.netsuite.concurrency import DEFAULT_CONCURRENCY
from resources.netsuite.connect import open_netsuite


class NetSuiteResource(dg.ConfigurableResource[NetSuiteClient]):
    """Address of NetSuite and the way to sign in."""

    base_url: str = Field(
        default="", description="REST root without a trailing slash; empty: derived from the account."
    )
    account: str = Field(default="", description="Account id, such as 1234567 or 1234567_SB1.")
    auth: Literal["oauth2", "tba"] = Field(
        default="oauth2", description="OAuth 2.0 client credentials, or token-based authentication (until 2028.1)."
    )
    client_id: str = Field(default="", description="OAuth 2.0: client id of the integration record.")
    certificate_id: str = Field(default="", description="OAuth 2.0: id shown on the client credentials setup page.")
    private_key_file: str = Field(default="", description="OAuth 2.0: PEM file of the certificate's private key.")
    consumer_key: str = Field(default="", description="Token-based: consumer key; a secret, so give dg.EnvVar.")
    consumer_secret: str = Field(default="", description="Token-based: consumer secret; a secret, so give dg.EnvVar.")
    token_id: str = Field(default="", description="Token-based: token id; a secret, so give dg.EnvVar.")
    token_secret: str = Field(default="", description="Token-based: token secret; a secret, so give dg.EnvVar.")
    concurrency: int = Field(
        default=DEFAULT_CONCURRENCY, description="Maximum parallel calls; one less than the account's limit."
    )
    language: str = Field(
        default="", description="Code of the company's default language, where the integration user has another one."
    )
    attempts: int = Field(default=ATTEMPTS, description="Maximum attempts per request, with exponential backoff.")
    sandbox: str = Field(default="", description="Folder of a sandbox to read instead; empty: the real NetSuite.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[NetSuiteClient]:  # noqa: ARG002
        """Yield a plain client on one connection pool."""
        settings = {name: getattr(self, name) for name in type(self).model_fields}
        with open_netsuite(**settings) as client:
            yield client
