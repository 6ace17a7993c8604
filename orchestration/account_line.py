"""The account that a process uses, as one line: `live: NetSuite 1234567, …` or `sandbox: <folder>, …`."""

from orchestration.configuration.env_file import find_env_file
from orchestration.configuration.settings import (
    MillpondSettings,
    netsuite_settings,
    precoro_settings,
    suiteprojects_settings,
)

UNSET = "not configured"


def account_line(settings: MillpondSettings) -> str:
    """Return the systems, or the sandbox, that a process uses, its home, and where the settings are from."""
    file = find_env_file()
    origin = f"settings from {file}" if file else "no .env file"
    if not settings.is_account_selected:
        return (
            f"{settings.mode}: accounts {', '.join(settings.account_names)}; home {settings.home.absolute()}; {origin}"
        )
    name = f"account {settings.account}, " if settings.account else ""
    used = f"stand-ins in {settings.sandbox}" if settings.sandbox else _systems(settings.account)
    return f"{settings.mode}: {name}{used}; home {settings.account_home}; {origin}"


def _systems(account: str) -> str:
    netsuite, suiteprojects = netsuite_settings(account), suiteprojects_settings(account)
    precoro = precoro_settings(account)
    parts = {
        "NetSuite": netsuite.account or netsuite.base_url,
        "SuiteProjects Pro": " at ".join(filter(None, (suiteprojects.company, _host(suiteprojects.base_url)))),
        "Precoro": " at ".join(filter(None, (precoro.email, _host(precoro.base_url)))),
    }
    return ", ".join(f"{system} {used or UNSET}" for system, used in parts.items())


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]
