"""Where SuiteProjects Pro is and how to sign in, for Dagster."""

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg
from pydantic import Field

from resources.http import ATTEMPTS
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.connect import open_suiteprojects

__all__ = ["SuiteProjectsResource", "open_suiteprojects"]


class SuiteProjectsResource(dg.ConfigurableResource[SuiteProjectsClient]):
    """Where SuiteProjects Pro is and how to sign in."""

    base_url: str = Field(
        default="", description="The account's own domain, https://<company>.app.netsuitesuiteprojectspro.com."
    )
    company: str = Field(default="", description="Company id, for sign-in by password.")
    user: str = Field(default="", description="User, for sign-in by password.")
    password: str = Field(default="", description="Password; a secret, so give dg.EnvVar.")
    namespace: str = Field(default="default", description="API namespace, given by Oracle with the key.")
    key: str = Field(default="", description="API key; a secret, so give dg.EnvVar.")
    access_token: str = Field(default="", description="OAuth 2 access token, in place of a password; a secret.")
    client_id: str = Field(default="", description="OAuth 2 application, to renew tokens by refresh token.")
    client_secret: str = Field(default="", description="The application's secret, so give dg.EnvVar.")
    redirect_uri: str = Field(default="", description="The application's redirect address, as registered.")
    refresh_token: str = Field(default="", description="A first refresh token from elsewhere; later ones are kept.")
    refresh_days: float = Field(default=0, description="Days that a refresh token lives; 0: not known.")
    token_file: str = Field(default="", description="Private file that keeps the tokens between runs.")
    seal_key: str = Field(default="", description="Key that seals that file; a secret, so give dg.EnvVar.")
    attempts: int = Field(default=ATTEMPTS, description="Tries of one request that gets no answer.")
    sandbox: str = Field(default="", description="Folder of a sandbox to use in place of the network.")
    ca_file: str = Field(default="", description="A certificate authority to trust, for a sandbox behind TLS.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[SuiteProjectsClient]:  # noqa: ARG002
        """Open one connection pool for the run and close it whatever happens."""
        with open_suiteprojects(
            base_url=self.base_url,
            company=self.company,
            user=self.user,
            password=self.password,
            namespace=self.namespace,
            key=self.key,
            access_token=self.access_token,
            client_id=self.client_id,
            client_secret=self.client_secret,
            redirect_uri=self.redirect_uri,
            refresh_token=self.refresh_token,
            refresh_days=self.refresh_days,
            token_file=self.token_file,
            seal_key=self.seal_key,
            attempts=self.attempts,
            sandbox=self.sandbox,
            ca_file=self.ca_file,
        ) as client:
            yield client
