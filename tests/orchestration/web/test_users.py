"""Named users: the file, the command line, the form, and limits of guesses; the server itself answers every request."""

import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import httpx
import pytest
from cyclopts import App
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from orchestration.cli import user as command
from orchestration.configuration.settings import ROOT, MillpondSettings
from orchestration.configuration.settings_error import SettingsError
from orchestration.web import passwords
from orchestration.web.access import COOKIE, Access
from orchestration.web.identity import Action, Identity, Role, current, identity_of, may
from orchestration.web.passwords import hashed, is_password
from orchestration.web.sign_in import DEVICE, SignIn
from orchestration.web.users import ONE_TIME_S, Users, UsersError
from orchestration.web.webserver import access_of

HERE = "http://localhost:3000"
RIGHT, WRONG = "the right password", "a wrong password"
OWN = "chosen by myself"
HOSTS = frozenset({"localhost"})


async def inside(request: Request) -> PlainTextResponse:
    """Respond with the user, as a page of the server sees it."""
    identity = request.state.identity
    assert identity == identity_of(request.scope) == current()
    return PlainTextResponse(f"{identity.name} {identity.role}")


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Users:
    """The users ada and vic; their passwords are quick to compare."""
    monkeypatch.setattr(passwords, "ROUNDS", 16)
    monkeypatch.setattr(passwords, "_NO_ONES", passwords._NO_ONES.replace("$16384$", "$16$"))
    found = Users(tmp_path / "users.json")
    found.add("ada", Role.APPROVER, RIGHT)
    found.add("vic", Role.VIEWER, RIGHT)
    return found


@pytest.fixture
def app(users: Users) -> SignIn:
    """The sign-in in front of one page."""
    return SignIn(
        Starlette(routes=[Route("/{path:path}", inside, methods=["GET", "POST"])]), Access("", HOSTS, [], users)
    )


def browser(app: SignIn, address: str = "10.0.0.1") -> TestClient:
    """A browser without cookies, at one address."""
    return TestClient(app, base_url=HERE, follow_redirects=False, client=(address, 5000), headers={"Origin": HERE})


def sign_in(visitor: TestClient, name: str, password: str) -> httpx.Response:
    """Send the form."""
    return visitor.post("/sign-in", data={"user": name, "password": password})


def one_time_sign_in(visitor: TestClient, name: str, password: str, chosen: str) -> httpx.Response:
    """Sign in by a one-time password, and choose another."""
    page = sign_in(visitor, name, password)
    ticket = re.findall(r'name="ticket" value="([^"]+)"', page.text)
    assert ticket, (page.status_code, page.text)
    return visitor.post("/sign-in", data={"ticket": ticket[0], "chosen": chosen})


# --- roles ----------------------------------------------------------------------------------------------------------


def test_each_role_may_what_the_one_before_it_may() -> None:
    """A request without an identity may do nothing."""
    allowed = {role: {action for action in Action if may(Identity("x", role), action)} for role in Role}

    assert allowed[Role.VIEWER] == {Action.READ}
    assert allowed[Role.OPERATOR] == {Action.READ, Action.RUN}
    assert allowed[Role.APPROVER] == set(Action)
    assert not any(may(None, action) for action in Action)


def test_a_page_knows_the_user(app: SignIn) -> None:
    """By the request, and by the context of what runs for it; outside of a request there is none."""
    ada, vic = browser(app), browser(app)
    sign_in(ada, "Ada ", RIGHT)
    sign_in(vic, "vic", RIGHT)

    assert (ada.get("/x").text, vic.get("/x").text) == ("ada approver", "vic viewer")
    assert current() is None


def test_read_only_makes_everyone_a_viewer(users: Users) -> None:
    """Whatever their roles."""
    routes = [Route("/{path:path}", inside)]
    ada = browser(SignIn(Starlette(routes=routes), Access("", HOSTS, [], users, read_only=True)))
    sign_in(ada, "ada", RIGHT)

    assert ada.get("/x").text == "ada viewer"


def test_signing_out_deletes_the_session(app: SignIn) -> None:
    """By the button of a page of this server only."""
    ada = browser(app)
    sign_in(ada, "ada", RIGHT)
    assert ada.post("/sign-out", headers={"Origin": "https://evil.example"}).status_code == 403
    assert ada.post("/sign-out").headers["location"] == "/sign-in"

    assert COOKIE not in ada.cookies
    assert ada.get("/x").status_code == 401


def test_a_copy_of_a_session_ends_with_the_sign_out(app: SignIn) -> None:
    """A cookie that was stolen, or that a proxy logged, is of no use after the button; another browser's goes on."""
    ada, elsewhere, thief = browser(app), browser(app), browser(app, "10.6.6.6")
    sign_in(ada, "ada", RIGHT)
    sign_in(elsewhere, "ada", RIGHT)
    copied = {"Cookie": f"{COOKIE}={ada.cookies[COOKIE]}"}
    assert thief.get("/x", headers=copied).text == "ada approver"
    ada.post("/sign-out")

    assert thief.get("/x", headers=copied).status_code == 401
    assert elsewhere.get("/x").text == "ada approver"


# --- passwords ------------------------------------------------------------------------------------------------------


def test_a_password_is_stored_as_a_salted_hash(users: Users) -> None:
    """The same password of two people is stored differently, in a private file."""
    text = users.file.read_text()
    stored = json.loads(text)["users"]

    assert RIGHT not in text
    assert stored["ada"]["password"] != stored["vic"]["password"]
    assert users.file.stat().st_mode & 0o777 == 0o600
    assert Path(f"{users.file}.lock").stat().st_mode & 0o777 == 0o600


def test_an_unknown_user_takes_as_long_as_a_known_one() -> None:
    """Otherwise the time would say which names exist."""

    def seconds(stored: str) -> float:
        started = time.process_time()
        assert not is_password(WRONG, stored)
        return time.process_time() - started

    known, unknown = hashed(RIGHT), ""
    assert seconds(unknown) > seconds(known) / 3


def test_a_one_time_password_of_a_clock_that_was_ahead_is_expired(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose clock is corrected by a year does not accept it for a year; an hour is no matter."""
    expired, now = [], time.time
    for ahead in (3500, 365 * 86400):
        monkeypatch.setattr("orchestration.web.users.time", lambda ahead=ahead: now() + ahead)
        users.add(f"eve{ahead}", Role.VIEWER)
        monkeypatch.setattr("orchestration.web.users.time", now)
        user = users.find(f"eve{ahead}")
        expired.append(user is not None and user.is_expired)
    assert expired == [False, True]


def test_an_unknown_user_a_wrong_and_an_expired_password_look_the_same(
    app: SignIn, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer says which names exist."""
    made = users.add("eve", Role.VIEWER)
    users.add("bob", Role.VIEWER, no_password=True)
    now = time.time
    monkeypatch.setattr("orchestration.web.users.time", lambda: now() + ONE_TIME_S + 1)
    clock = count()
    app._guesses._now = lambda: float(next(clock))  # each try is a second later
    tries = {
        "ada": WRONG,
        "no-one": WRONG,
        "eve": made,
        "bob": "",
        "../ada": WRONG,
        "": "",
        "x" * 900: WRONG,
        "\xe9": WRONG,
    }
    answers = [sign_in(browser(app, f"10.0.1.{number}"), *each) for number, each in enumerate(tries.items())]

    assert {(each.status_code, each.text) for each in answers} == {(401, answers[0].text)}
    assert len({tuple(sorted(each.headers.items())) for each in answers}) == 1


def test_a_one_time_password_is_exchanged_once(app: SignIn, users: Users) -> None:
    """It opens nothing itself; a short password is refused and can be corrected."""
    made = users.add("eve", Role.OPERATOR)
    eve = browser(app)
    assert one_time_sign_in(eve, "eve", made, "short").status_code == 400
    assert eve.get("/x").status_code == 401
    ticket = re.findall(r'value="([^"]+)"', sign_in(eve, "eve", made).text)[0]
    signed = eve.post("/sign-in?next=/assets", data={"ticket": ticket, "chosen": OWN})

    assert (signed.status_code, signed.headers["location"], eve.get("/x").text) == (303, "/assets", "eve operator")
    other = browser(app, "10.0.0.2")
    assert other.post("/sign-in", data={"ticket": ticket, "chosen": "another password"}).status_code == 401
    assert sign_in(other, "eve", made).status_code == 401
    assert sign_in(browser(app, "10.0.0.3"), "eve", OWN).status_code in {303, 429}


def test_a_session_is_no_ticket_and_a_ticket_no_session(app: SignIn, users: Users) -> None:
    """Each text is signed for its purpose."""
    made = users.add("eve", Role.OPERATOR)
    eve, ada = browser(app), browser(app)
    ticket = re.findall(r'value="([^"]+)"', sign_in(eve, "eve", made).text)[0]
    sign_in(ada, "ada", RIGHT)

    assert eve.get("/x", headers={"Cookie": f"{COOKIE}={ticket}"}).status_code == 401
    assert eve.post("/sign-in", data={"ticket": ada.cookies[COOKIE], "chosen": OWN}).status_code == 401


@pytest.mark.parametrize("change", ["reset", "remove", "role", "again"])
def test_a_session_ends_with_the_password_it_came_from(app: SignIn, users: Users, change: str) -> None:
    """At the next request; a new role holds for sessions that exist."""
    ada = browser(app)
    sign_in(ada, "ada", RIGHT)
    if change == "reset":
        users.reset("ada", OWN)
    elif change == "role":
        users.set_role("ada", Role.OPERATOR)
    else:
        users.remove("ada")
        if change == "again":
            users.add("ada", Role.APPROVER, RIGHT)

    after = ada.get("/x")
    assert (after.text if change == "role" else after.status_code) == ("ada operator" if change == "role" else 401)


# --- guesses --------------------------------------------------------------------------------------------------------


def test_guesses_are_one_a_second_in_all(app: SignIn) -> None:
    """Whichever client and user, also an unknown one; the right password is not looked at either."""
    clock = [100.0]
    app._guesses._now = lambda: clock[0]
    answers = [
        sign_in(browser(app, client), name, password).status_code
        for client, name, password in (
            ("10.0.0.1", "ada", WRONG), ("10.0.0.1", "vic", RIGHT), ("10.0.0.2", "ada", RIGHT),
            ("10.0.0.3", "no-one", WRONG), ("10.0.0.4", "no-one", WRONG), ("10.0.0.5", "vic", RIGHT),
        )
    ]  # fmt: skip
    clock[0] += 1

    assert answers == [401, 429, 429, 429, 429, 429]
    assert sign_in(browser(app, "10.0.0.2"), "ada", RIGHT).status_code == 303


def test_strangers_lock_no_one_out_of_a_known_browser(app: SignIn) -> None:
    """Ten clients guess one user's password, and those of all others, without a pause."""
    clock = [100.0]
    app._guesses._now = lambda: clock[0]
    known = browser(app, "10.0.0.1")
    sign_in(known, "ada", RIGHT)
    device = known.cookies[DEVICE]
    for step in range(20):
        clock[0] += 0.1
        assert sign_in(browser(app, f"10.0.9.{step % 10}"), "ada", WRONG).status_code in {401, 429}
    unknown, again = browser(app, "10.0.0.1"), browser(app, "10.0.0.1")
    again.cookies[DEVICE] = device

    assert sign_in(unknown, "ada", RIGHT).status_code == 429
    assert sign_in(again, "ada", RIGHT).status_code == 303
    assert sign_in(browser(app, "10.0.0.7"), "vic", RIGHT).status_code == 429
    clock[0] += 1
    assert sign_in(browser(app, "10.0.0.7"), "vic", RIGHT).status_code == 303


@pytest.mark.parametrize("attacker", ["10.0.9.9", "2001:db8::"])
def test_a_steady_guesser_keeps_no_one_out(app: SignIn, attacker: str) -> None:
    """Whoever guessed wrong gives way to a new browser that was refused; a network of 64 bits is one guesser."""
    clock = [100.0]
    app._guesses._now = lambda: clock[0]
    guessed: list[int] = []

    def guess() -> None:
        clock[0] += 0.25
        address = attacker + (f"{len(guessed):x}" if ":" in attacker else "")
        guessed.append(sign_in(browser(app, address), "no-one", WRONG).status_code)

    for _ in range(40):
        guess()
    assert guessed.count(401) == 10
    refused = sign_in(browser(app, "10.0.0.7"), "vic", RIGHT).status_code
    for _ in range(7):
        guess()

    assert (refused, guessed[-7:]) == (429, [429] * 7)
    assert sign_in(browser(app, "10.0.0.7"), "vic", RIGHT).status_code == 303
    clock[0] += 1
    guess()
    assert guessed[-1] == 401, "no one waits any more"


def test_a_wrong_password_of_ones_own_is_no_attack(app: SignIn) -> None:
    """The second try is a second later, and those who never come back are waited for ten seconds."""
    clock = [100.0]
    app._guesses._now = lambda: clock[0]
    vic = browser(app, "10.0.0.7")
    assert sign_in(vic, "vic", WRONG).status_code == 401
    assert sign_in(browser(app, "10.0.0.8"), "ada", RIGHT).status_code == 429
    clock[0] += 2
    assert sign_in(vic, "vic", RIGHT).status_code == 429
    clock[0] += 10

    assert sign_in(vic, "vic", RIGHT).status_code == 303


def test_a_known_browser_guesses_no_faster(app: SignIn) -> None:
    """Its limit is one a second as well, and holds for its own user alone."""
    clock = [100.0]
    app._guesses._now = lambda: clock[0]
    known = browser(app)
    sign_in(known, "vic", RIGHT)

    assert [sign_in(known, "vic", WRONG).status_code for _ in range(3)] == [401, 429, 429]
    assert [sign_in(known, "ada", WRONG).status_code for _ in range(3)] == [401, 429, 429]
    known.cookies[DEVICE] = f"{'0' * 16}.{'0' * 64}.dmlj"
    clock[0] += 1
    assert [sign_in(known, "vic", WRONG).status_code for _ in range(2)] == [401, 429]


# --- the file -------------------------------------------------------------------------------------------------------


DAMAGED = {
    "empty": "",
    "no users": "{}",
    "list": "[]",
    "unknown role": '{"format":1,"device_key":"aa","users":{"a":{"role":"x"}}}',
    "later format": '{"format":2,"device_key":"aa","users":{}}',
    "deep nesting": "[" * 200_000,
    "a password that is a number": (
        '{"format":1,"device_key":"aa","users":{"ada":{"role":"viewer","password":5,"credential":"x"}}}'
    ),
    "a password that is no hash": (
        '{"format":1,"device_key":"aa","users":{"ada":{"role":"viewer","password":"scrypt$1","credential":"x"}}}'
    ),
    "a credential that is none": (
        '{"format":1,"device_key":"aa","users":{"ada":{"role":"viewer","password":"","credential":null}}}'
    ),
    "a time that is none": (
        '{"format":1,"device_key":"aa","users":'
        '{"ada":{"role":"viewer","password":"","credential":"x","one_time_until":"soon"}}}'
    ),
    "users that are a list": '{"format":1,"device_key":"aa","users":[]}',
    "no key": '{"format":1,"device_key":"","users":{}}',
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_lets_no_one_in(app: SignIn, users: Users, text: str) -> None:
    """Neither users nor the token; the response is no traceback, and the command line names the file."""
    ada = browser(app)
    sign_in(ada, "ada", RIGHT)
    users.file.write_text(text)

    assert ada.get("/x").status_code == 503
    assert sign_in(browser(app, "10.0.0.2"), "ada", RIGHT).status_code == 503
    with pytest.raises(UsersError, match=r"users\.json cannot be read; restore it"):
        Users(users.file).add("eve", Role.VIEWER)
    assert users.file.read_text() == text


def test_concurrent_changes_are_all_kept(tmp_path: Path) -> None:
    """Each is made on the file as the one before left it; nothing is written in part."""
    code = (
        "import sys; from pathlib import Path; from orchestration.web.users import Users\n"
        "from orchestration.web.identity import Role\n"
        "folder, name = Path(sys.argv[1]), sys.argv[2]; (folder / name).touch()\n"
        "while not ((folder / 'a').exists() and (folder / 'b').exists()): pass\n"
        "for n in range(30): Users(folder / 'users.json').add(f'{name}{n}', Role.VIEWER, no_password=True)"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), each], cwd=ROOT) for each in "ab"]

    assert [each.wait(60) for each in started] == [0, 0]
    assert len(Users(tmp_path / "users.json").all()) == 60


# --- the command line -----------------------------------------------------------------------------------------------


Call = Callable[..., tuple[int, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call `millpond user …`."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.setattr(passwords, "ROUNDS", 16)

    def run(*tokens: str, stdin: str = "") -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        app: App = command.app
        with pytest.raises(SystemExit) as ended:
            app(list(tokens))
        return int(str(ended.value.code or 0)), capsys.readouterr().out

    return run


def test_a_user_is_added_listed_changed_and_removed(call: Call, tmp_path: Path) -> None:
    """With the one-time password printed once, and what becomes of the token."""
    code, added = call("add", "Ada", "--role", "approver")
    made = re.findall(r"one-time password of ada: (\S+)", added)[0]
    listed = call("list")[1]
    changed = call("role", "ada", "operator")
    reset = call("reset", "ada", "--password-stdin", stdin=f"{OWN}\n")
    user = Users(tmp_path / "users.json").all()["ada"]
    removed = call("remove", "ada")

    assert (code, len(made) >= 20) == (0, True)
    assert "the sign-in token is off from now on" in added
    assert "one-time" in listed
    assert made not in listed
    assert (changed[0], reset[0], removed[0]) == (0, 0, 0)
    assert (user.role, is_password(OWN, user.password), user.one_time_until) == (Role.OPERATOR, True, 0)
    assert "no users are left" in removed[1]
    assert access_of(MillpondSettings()).role_of_token is None, "the token does not come back by itself"


def test_a_user_that_cannot_be_added_or_found_is_named(call: Call) -> None:
    """Exit code 2, and no traceback."""
    call("add", "ada", "--role", "approver", "--no-password")
    for tokens, text in (
        (("add", "ada", "--role", "viewer"), "user ada exists"),
        (("add", "a b", "--role", "viewer"), "a user name has letters"),
        (("add", "ada\xa0", "--role", "viewer"), "a user name has letters"),
        (("remove", "eve"), "no user eve"),
        (("role", "eve", "viewer"), "no user eve"),
        (("reset", "eve"), "no user eve"),
        (("reset", "ada", "--password-stdin"), "a password has 12 to 256 characters"),
    ):
        code, printed = call(*tokens, stdin="short\n")
        assert (code, text in printed) == (2, True), (tokens, printed)


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "proxies", "text"),
    [
        ("X-User", "", ": MILLPOND_AUTH_HEADER and MILLPOND_AUTH_PROXIES are set together"),
        ("", "10.0.0.5", "are set together"),
        ("X-User", "proxy.local", "10.0.0.5"), ("X-User", "10.0.0.5/8", "host bits"),
        ("X-User", "0.0.0.0/0", "every address"), ("X-User", "::/0", "every address"),
        ("X User", "10.0.0.5", "cannot name"), ("Cookie", "10.0.0.5", "cannot name"),
        ("HOST", "10.0.0.5", "cannot name"),
    ],
)  # fmt: skip
def test_a_proxy_without_addresses_is_refused(
    monkeypatch: pytest.MonkeyPatch, header: str, proxies: str, text: str
) -> None:
    """Whoever could send the header would be anyone."""
    monkeypatch.setenv("MILLPOND_AUTH_HEADER", header)
    monkeypatch.setenv("MILLPOND_AUTH_PROXIES", proxies)
    with pytest.raises(SettingsError, match=re.escape(text)):
        MillpondSettings()


def test_the_token_has_the_role_that_is_configured(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without users an approver's; with users none, unless a setting gives one."""
    monkeypatch.setenv("MILLPOND_HOME", str(users.file.parent))
    roles: list[Role | None] = []
    for setting, home in (("", "elsewhere"), ("", ""), ("viewer", ""), ("operator", "elsewhere")):
        monkeypatch.setenv("MILLPOND_UI_TOKEN_ROLE", setting)
        monkeypatch.setenv("MILLPOND_HOME", str(users.file.parent / home))
        roles.append(access_of(MillpondSettings()).role_of_token)

    assert roles == [Role.APPROVER, None, Role.VIEWER, Role.OPERATOR]
