"""`millpond login suiteprojects`: once in the browser; every run renews the tokens afterwards."""

import io
import socket
import stat
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import httpx
import pytest

from orchestration.cli.doctor import findings
from orchestration.cli.login import LoginError, code_of, login
from orchestration.configuration.settings import MillpondSettings
from orchestration.resource_wiring import suiteprojects_resource
from resources.sandbox.sandbox import BASE_URLS
from resources.suiteprojects.connect import open_suiteprojects
from tests.orchestration.conftest import Home


def free_port() -> int:
    """Return a free loopback port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(find: Callable[[], str]) -> str:
    """Return the first text that is found within some seconds."""
    for _ in range(400):
        if text := find():
            return text
        time.sleep(0.05)  # another thread prints it
    raise AssertionError("nothing was found")


def address_in(printed: str) -> str:
    """Return the printed address, once its line is complete."""
    lines = printed.splitlines(keepends=True)
    return next((line.strip() for line in lines if line.startswith("https://") and line.endswith("\n")), "")


def redirect_of(home: Home, address: str) -> str:
    """Return the address that the browser is redirected to after the user agreed."""
    with httpx.Client(transport=home.sandbox.transport("suiteprojects"), base_url=BASE_URLS["suiteprojects"]) as http:
        return str(http.get(address).headers["location"])


def test_sign_in_by_loopback_redirect(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser is redirected to the command; afterwards the tokens sign in, and the doctor knows their lifetime."""
    monkeypatch.setenv("SUITEPROJECTS_REDIRECT_URI", f"http://127.0.0.1:{free_port()}/back")
    printed, ended = io.StringIO(), list[int]()
    with redirect_stdout(printed):
        thread = threading.Thread(target=lambda: ended.append(login("suiteprojects")))
        thread.start()
        back = redirect_of(home, wait_for(lambda: address_in(printed.getvalue())))
        with httpx.Client() as browser:
            assert browser.get(back.replace("/back", "/favicon.ico").partition("?")[0]).status_code == 404
            assert browser.get(back).text.startswith("Signed in")
        thread.join(30)

    assert ended == [0], printed.getvalue()
    file = home.folder / "suiteprojects_tokens.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert back.partition("code=")[2][:20] not in printed.getvalue()
    checks = [each for each in findings() if each.system == "suiteprojects"]
    assert checks
    assert all(each.passed for each in checks)
    settings = MillpondSettings()
    token_file = suiteprojects_resource(settings).token_file
    with open_suiteprojects(token_file=token_file, sandbox=settings.sandbox) as client:
        assert client.server_time()


def test_sign_in_by_pasting(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser runs on another machine: the address that it ends up at contains the code."""
    printed = io.StringIO()

    class Person:
        """Opens the address and types the one that the browser is redirected to."""

        def readline(self) -> str:
            return redirect_of(home, address_in(printed.getvalue()))

    monkeypatch.setattr("sys.stdin", Person())

    with redirect_stdout(printed):
        assert login("suiteprojects", paste=True) == 0
    assert (home.folder / "suiteprojects_tokens.json").exists()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("/?code=abc&state=other", "another sign-in"),
        ("/?code=abc", "another sign-in"),
        ("/?error=access_denied", "access_denied"),
        ("/back", "no code"),
        ("", "no code"),
    ],
)
def test_a_foreign_redirect_is_rejected(answer: str, text: str) -> None:
    """A page that someone else opened must not sign us in to their account."""
    with pytest.raises(LoginError, match=text):
        code_of(answer, "ours")


@pytest.mark.parametrize("answer", ["abc", "/?code=abc&state=ours", "http://127.0.0.1:8377/?state=ours&code=abc"])
def test_the_code_is_found_in_pasted_text(answer: str) -> None:
    """The bare code, or the address that contains it."""
    assert code_of(answer, "ours") == "abc"


def test_a_used_code_is_an_error(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No tokens are stored."""
    monkeypatch.setattr("sys.stdin", io.StringIO("somecode"))

    assert login("suiteprojects", paste=True) == 2

    assert "the code was rejected" in capsys.readouterr().out
    assert not (home.folder / "suiteprojects_tokens.json").exists()


def test_a_missing_setting_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anyone opens a browser."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.setenv("MILLPOND_MODE", "live")
    monkeypatch.setenv("SUITEPROJECTS_BASE_URL", "https://example.invalid")
    monkeypatch.setenv("SUITEPROJECTS_CLIENT_ID", "")

    assert login("suiteprojects", paste=True) == 2

    assert "SUITEPROJECTS_CLIENT_ID" in capsys.readouterr().out


def test_a_redirect_address_with_an_impossible_port_is_named(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anyone opens a browser."""
    assert home
    monkeypatch.setenv("SUITEPROJECTS_REDIRECT_URI", "http://127.0.0.1:99999/")

    assert login("suiteprojects") == 2
    assert "SUITEPROJECTS_REDIRECT_URI: http://127.0.0.1:99999/ has no such port" in capsys.readouterr().out
