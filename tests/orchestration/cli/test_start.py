"""The start of every command: the account's line first, refused settings, a sandbox that was never filled."""

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestration.cli.main import COMMANDS, main
from orchestration.cli.start import OWN_HOME, SERVICES, WITHOUT_RECORDS, unread_variables, write_line
from orchestration.configuration.settings import MillpondSettings
from orchestration.definitions import definitions
from resources.sandbox.filled import was_filled
from resources.sandbox.sandbox import Sandbox
from tests.orchestration.cli.test_main import Output, call, millpond
from tests.orchestration.conftest import Home, at_home
from tests.orchestration.home_state import failures

Call = Callable[..., Output]
ALL = [name for commands in COMMANDS.values() for name in commands]
NEVER_FILLED = (
    "was never filled; `millpond demo` fills one and runs on it, `millpond sandbox seed --customers 200` fills"
)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Call]:
    """Run the console command in this process, and restore what it changes."""
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    hook = sys.unraisablehook

    def call_main(*tokens: str) -> Output:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["millpond", *tokens])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Output(int(ended.value.code or 0), printed.out, printed.err)

    yield call_main
    sys.unraisablehook = hook
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without .env, as of a cron job, and no settings in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("MILLPOND_HOME", "MILLPOND_MODE", "MILLPOND_WORKFLOWS", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(("command", "code"), [(("restore", "none.tar.gz"), 2), (("validate",), 0)])
def test_a_home_that_cannot_be_used_is_named_and_stops_only_what_needs_it(
    elsewhere: Path, run: Call, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], code: int
) -> None:
    """A restore may repair files, but needs a folder for them; workflow files are checked without any home."""
    (elsewhere / "home").write_text("")
    monkeypatch.setenv("MILLPOND_HOME", str(elsewhere / "home"))

    output = run(*command)

    assert (
        output.code,
        "is not a folder; move it away, or set MILLPOND_HOME" in " ".join((output.out + output.err).split()),
    ) == (code, True)
    assert [each.name for each in elsewhere.iterdir()] == ["home"]


@pytest.mark.parametrize("command", [each for each in ALL if each not in WITHOUT_RECORDS | SERVICES])
def test_a_sandbox_that_was_never_filled_is_an_error(elsewhere: Path, run: Call, command: str) -> None:
    """A job that was started in another folder finds no .env; it must not succeed on an account without records."""
    output = run(command)

    sandbox = elsewhere / ".millpond" / "sandbox"
    assert (output.code, len(output.lines)) == (2, 1)
    assert output.lines[0].startswith(f"✗ the sandbox in {sandbox} {NEVER_FILLED}")
    assert "MILLPOND_MODE=live connects to the real systems" in output.lines[0]
    assert output.err == f"sandbox: stand-ins in {sandbox}; home {elsewhere}/.millpond; no .env file\n"
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("value", ["-h", "--help", "--version"])
def test_a_value_that_looks_like_a_request_for_help_skips_no_check(elsewhere: Path, run: Call, value: str) -> None:
    """After `--` it is a record's name: the command runs, so the home is checked and private."""
    output = run("explain", "--", value)

    assert output.code == 2
    assert output.lines[0].startswith(f"✗ the sandbox in {elsewhere / '.millpond' / 'sandbox'} {NEVER_FILLED}")
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("command", [each for each in ALL if each not in OWN_HOME])
@pytest.mark.parametrize("name", ["MILLPOND_MODE", "NETSUITE_AUTH", "NETSUITE_CONCURRENCY", "MILLPOND_ALERT_MAIL_PORT"])
def test_every_command_refuses_a_wrong_setting(
    elsewhere: Path, run: Call, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    """One line with the variable, exit code 2, and nothing is created."""
    monkeypatch.setenv(name, "lvie")

    output = run(command)

    assert (output.code, len(output.lines), output.err) == (2, 1, "")
    assert output.lines[0].startswith(f"✗ {name}: input should be ")
    assert list(elsewhere.iterdir()) == []


def test_the_first_line_names_the_account(elsewhere: Path, run: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """On stderr, since stdout may be a CSV or JSON file of another program; with the file of the settings."""
    (elsewhere / ".env").write_text("MILLPOND_MODE=live\nMILLPOND_HOM=elsewhere\n")
    monkeypatch.setenv("MILLPOND_MODE", "live")
    for name, value in {
        "NETSUITE_ACCOUNT": "1234567-sb1",
        "SUITEPROJECTS_COMPANY": "acme",
        "SUITEPROJECTS_BASE_URL": "https://acme.app.netsuitesuiteprojectspro.com/",
        "PRECORO_EMAIL": "ada@example.com",
    }.items():
        monkeypatch.setenv(name, value)

    output = run("validate")

    assert output.code == 0
    line, warning = output.err.splitlines()
    assert line == (
        "live: NetSuite 1234567_SB1, SuiteProjects Pro acme at acme.app.netsuitesuiteprojectspro.com,"
        f" Precoro ada@example.com; home {elsewhere}/.millpond; settings from {elsewhere}/.env"
    )
    assert warning == "! MILLPOND_HOM is not read; did you mean MILLPOND_HOME?"
    assert "live:" not in output.out


def test_of_several_accounts_the_selected_one_is_named(
    elsewhere: Path, run: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or all, if the command needs none."""
    monkeypatch.setenv("MILLPOND_ACCOUNTS", "acme,globex")
    assert run("validate").err == f"sandbox: accounts acme, globex; home {elsewhere}/.millpond; no .env file\n"
    monkeypatch.setenv("MILLPOND_ACCOUNT", "globex")
    home = elsewhere / ".millpond" / "accounts" / "globex"
    assert run("validate").err == f"sandbox: account globex, stand-ins in {home}/sandbox; home {home}; no .env file\n"


def test_machine_readable_output_stays_machine_readable(seeded: Home, run: Call) -> None:
    """The line of the account is not part of it."""
    shown = run("sandbox", "show", "netsuite", "currencies", "--json")
    links = run("links", "--csv")

    assert shown.out.startswith("[{")
    assert shown.err == f"sandbox: stand-ins in {seeded.folder}/sandbox\n"
    assert links.out.startswith("workflow,")
    assert links.err.startswith(f"sandbox: stand-ins in {seeded.folder}/sandbox; home {seeded.folder}; ")


def test_a_run_on_a_sandbox_that_was_never_filled_fails(home: Home) -> None:
    """However it was started: by a schedule, a sensor or in the UI."""
    result = home.run("customers")

    failed = failures(result)
    assert failed
    assert all(f"the sandbox in {home.folder}/sandbox {NEVER_FILLED}" in text for text in failed.values())


def test_an_emptied_sandbox_was_filled(tmp_path: Path) -> None:
    """Deleting the last customer is an ordinary event."""
    sandbox = Sandbox(tmp_path)
    assert not was_filled(sandbox.folder)
    assert sandbox.netsuite
    assert not was_filled(sandbox.folder)
    sandbox.netsuite.insert("customer", [{"id": 1}])
    sandbox.netsuite.delete("customer", "customer", 1)
    assert was_filled(sandbox.folder)


def test_the_code_location_names_the_setting(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster shows this text instead of the assets."""
    assert home
    monkeypatch.setenv("NETSUITE_AUTH", "TBA")

    with pytest.raises(Exception, match=r"NETSUITE_AUTH: input should be 'oauth2' or 'tba'; see \.env\.example"):
        definitions()


@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        pytest.param({"PYTHONIOENCODING": "ascii"}, marks=pytest.mark.long),
        pytest.param({"PYTHONIOENCODING": "latin-1"}, marks=pytest.mark.long),
    ],
)
def test_a_terminal_without_unicode_gets_replacements(synced_home: Path, variables: dict[str, str]) -> None:
    """Of ticks, arrows, table borders, and characters in names and arguments."""
    with at_home(synced_home):
        for command, code in (["validate"], 0), (["explain", "Zürich 株式会社"], 2), (["tables"], 0), (["links"], 0):
            output = millpond(synced_home, *command, **variables)
            assert output.code == code, output.err
            assert "Traceback" not in output.err


def test_a_folder_that_no_longer_exists_is_one_line(tmp_path: Path) -> None:
    """As after a deployment that replaced the folder of a running shell."""
    gone = tmp_path / "gone"
    gone.mkdir()
    code = "import os; os.rmdir(os.getcwd()); from orchestration.cli.main import main; import sys; main()"

    output = call([sys.executable, "-c", code, "plans"], gone)

    assert output.code == 2
    assert output.lines == ["✗ the current folder no longer exists; change to another one"]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_accounts_line_is_folded_between_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, is_terminal: bool
) -> None:
    """On a terminal, which would break it within a path; a log has it whole."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    line = f"sandbox: stand-ins in /srv/{'a' * 40}/sandbox; home /srv/{'a' * 40}; no .env file"

    write_line(line)

    printed = capsys.readouterr().err
    assert " ".join(printed.split()) == line
    assert (max(map(len, printed.splitlines())) <= 60) is is_terminal


@pytest.mark.usefixtures("home")
def test_a_setting_of_an_earlier_version_is_left_to_the_upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not a misspelled one: the most similar name would be another setting."""
    monkeypatch.setenv("MILLPOND_KEEP_DAYS", "30")
    monkeypatch.setenv("MILLPOND_KEEP_DAY", "30")

    assert [line.split()[0] for line in unread_variables(MillpondSettings())] == ["MILLPOND_KEEP_DAY"]
