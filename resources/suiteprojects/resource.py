"""Dagster resource of SuiteProjects Pro."""

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg
from pydantic import Field

from resources.http import ATTEMPTS
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.connect import open_suiteprojects


class SuiteProjectsResource(dg.ConfigurableResource[SuiteProjectsClient]):
    """Address of SuiteProjects Pro and the way to sign in."""

    base_url: str = Field(
        default="", description="The account's own domain, https://<company>.app.netsuitesuiteprojectspro.com."
    )
    company: str = Field(default="", description="Company id, for sign-in by password.")
    user: str = Field(default="", description="User, for sign-in by password.")
    password: str = Field(default="", description="Password; a secret, so give dg.EnvVar.")
    namespace: str = Field(default="default", description="API namespace, issued by Oracle with the key.")
    key: str = Field(default="", description="API key; a secret, so give dg.EnvVar.")
    access_token: str = Field(default="", description="OAuth 2 access token instead of a password; a secret.")
    client_id: str = Field(default="", description="OAuth 2 application, which renews tokens by refresh token.")
    client_secret: str = Field(default="", description="The application's secret, so give dg.EnvVar.")
    redirect_uri: str = Field(default="", description="The application's redirect URI, as registered.")
    refresh_token: str = Field(default="", description="A first refresh token obtained elsewhere; a secret.")
    refresh_days: float = Field(default=0, description="Lifetime of a refresh token in days; 0: unknown.")
    token_file: str = Field(default="", description="Private file that stores the tokens between runs.")
    encryption_key: str = Field(default="", description="Key that encrypts that file; a secret, so give dg.EnvVar.")
    attempts: int = Field(default=ATTEMPTS, description="Maximum attempts per request, with exponential backoff.")
    sandbox: str = Field(default="", description="Folder of a sandbox to use instead of the network.")
    ca_file: str = Field(default="", description="A certificate authority to trust, for a sandbox behind TLS.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[SuiteProjectsClient]:  # noqa: ARG002
        """Yield a plain client on one connection pool."""
        settings = {name: getattr(self, name) for name in type(self).model_fields}
        with open_suiteprojects(**settings) as client:
            yield client
