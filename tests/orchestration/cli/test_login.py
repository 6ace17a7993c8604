"""`millpond login suiteprojects`: once in the browser, then every run renews by itself."""

import io
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from orchestration.cli.doctor import findings
from orchestration.cli.login import RefusedLoginError, code_of, print_login
from orchestration.settings import MillpondSettings, suiteprojects_connection
from resources.sandbox.sandbox import BASE_URLS
from resources.suiteprojects.connect import open_suiteprojects
from tests.orchestration.conftest import Home


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(found: Callable[[], str]) -> str:
    """What turns up within some seconds."""
    for _ in range(400):
        if text := found():
            return text
        time.sleep(0.05)  # another thread prints it
    raise AssertionError("nothing turned up")


def address_in(printed: str) -> str:
    """The address that a person opens, once its line is complete."""
    lines = printed.splitlines(keepends=True)
    return next((line.strip() for line in lines if line.startswith("https://") and line.endswith("\n")), "")


def sent_to(home: Home, address: str) -> str:
    """Where the browser is sent once the person agreed."""
    with httpx.Client(transport=home.sandbox.transport("suiteprojects"), base_url=BASE_URLS["suiteprojects"]) as http:
        return str(http.get(address).headers["location"])


def test_signing_in_by_the_loopback_address(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser comes back by itself; from then on the tokens sign in, and the doctor knows how long they last."""
    monkeypatch.setenv("SUITEPROJECTS_REDIRECT_URI", f"http://127.0.0.1:{free_port()}/back")
    printed = io.StringIO()
    ended: list[int] = []
    thread = threading.Thread(
        target=lambda: ended.append(print_login("suiteprojects", Console(file=printed, width=200), paste=False))
    )
    thread.start()
    back = sent_to(home, until(lambda: address_in(printed.getvalue())))
    with httpx.Client() as browser:
        assert browser.get(back.replace("/back", "/favicon.ico").partition("?")[0]).status_code == 404
        assert browser.get(back).text.startswith("Signed in")
    thread.join(30)

    assert ended == [0], printed.getvalue()
    file = home.folder / "suiteprojects_tokens.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert back.partition("code=")[2][:20] not in printed.getvalue()
    told = [each for each in findings() if each.system == "suiteprojects"]
    assert told
    assert all(each.is_well for each in told)
    with open_suiteprojects(**suiteprojects_connection(MillpondSettings())) as client:
        assert client.server_time()


def test_signing_in_by_pasting(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser runs on another machine: the address that it ends up at holds the code."""
    printed = io.StringIO()

    class Person:
        """Opens the address and types where the browser ended."""

        def readline(self) -> str:
            return sent_to(home, address_in(printed.getvalue()))

    monkeypatch.setattr("sys.stdin", Person())

    assert print_login("suiteprojects", Console(file=printed, width=200), paste=True) == 0
    assert (home.folder / "suiteprojects_tokens.json").exists()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("/?code=abc&state=other", "another sign-in"),
        ("/?code=abc", "another sign-in"),
        ("/?error=access_denied", "access_denied"),
        ("/back", "no code"),
        ("", "no code"),
    ],
)
def test_an_answer_that_is_not_ours_is_refused(answer: str, told: str) -> None:
    """A page that somebody else opened must not sign us in to his account."""
    with pytest.raises(RefusedLoginError, match=told):
        code_of(answer, "ours")


@pytest.mark.parametrize("answer", ["abc", "/?code=abc&state=ours", "http://127.0.0.1:8377/?state=ours&code=abc"])
def test_the_code_is_found_in_what_was_pasted(answer: str) -> None:
    """The bare code, or the address with it."""
    assert code_of(answer, "ours") == "abc"


def test_a_used_code_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the tokens of before stay as they were."""
    monkeypatch.setattr("sys.stdin", io.StringIO("somecode"))
    printed = io.StringIO()

    assert print_login("suiteprojects", Console(file=printed, width=200), paste=True) == 2

    assert "the code was refused" in printed.getvalue()
    assert not (home.folder / "suiteprojects_tokens.json").exists()


def test_a_missing_setting_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anybody opens a browser."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.setenv("MILLPOND_MODE", "live")
    monkeypatch.setenv("SUITEPROJECTS_BASE_URL", "https://example.invalid")
    monkeypatch.setenv("SUITEPROJECTS_CLIENT_ID", "")
    printed = io.StringIO()

    assert print_login("suiteprojects", Console(file=printed, width=200), paste=True) == 2

    assert "SUITEPROJECTS_CLIENT_ID" in printed.getvalue()
