"""People whom a sign-in proxy names in a header, which is believed from its addresses only.

MILLPOND_AUTH_HEADER, MILLPOND_AUTH_PROXIES  ->  SignInProxy  ->  identity(), or ProxyError with the reason
"""

from dataclasses import dataclass

from starlette.datastructures import Headers

from orchestration.configuration.settings import MillpondSettings
from orchestration.web.client_address import Networks, is_among
from orchestration.web.identity import Identity, Role
from orchestration.web.users import Users, UsersError, user_name


class ProxyError(Exception):
    """The header cannot be believed; the text has the reason."""


@dataclass(frozen=True)
class SignInProxy:
    """A proxy that knows who makes a request.

    Attributes:
        role: Role of people whom `millpond user` does not know; None refuses them.
    """

    header: str
    proxies: Networks
    role: Role | None = None

    @classmethod
    def of(cls, settings: MillpondSettings) -> "SignInProxy | None":
        """Return the configured proxy, if there is one."""
        if not settings.auth_header:
            return None
        role = Role(settings.auth_role) if settings.auth_role else None
        return cls(settings.auth_header, settings.auth_proxy_networks, role)

    def identity(self, headers: Headers, peer: str, users: Users) -> Identity | None:
        """Return the identity of a request; None if it has no such header.

        Raises:
            ProxyError: It comes from another address, names no one, several or an unknown user.
            UsersError: The users cannot be read.
        """
        names = headers.getlist(self.header)
        if not names:
            return None
        if not is_among(peer, self.proxies):
            raise ProxyError(f"the header {self.header} is accepted from MILLPOND_AUTH_PROXIES only")
        if len(names) > 1:
            raise ProxyError(f"several {self.header} headers; the sign-in proxy must replace the client's")
        try:
            name = user_name(names[0])
        except UsersError:
            raise ProxyError(f"{self.header} has no user name") from None
        user = users.find(name)
        role = user.role if user else self.role
        if role is None:
            raise ProxyError("you have no role here; `millpond user add` or MILLPOND_AUTH_ROLE gives one")
        return Identity(name, role)
