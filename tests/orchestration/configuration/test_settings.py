"""Settings that cannot be used: one line with the variable's name, whatever the setting and the value."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.cli.start import check_settings
from orchestration.configuration.known_names import unknown_names
from orchestration.configuration.settings import SETTINGS, MillpondSettings, netsuite_settings, precoro_settings
from orchestration.configuration.settings_base import account_id
from orchestration.configuration.settings_error import SettingsError

ALL = [(each, name) for each in SETTINGS for name in each.model_fields]
NOT_TEXT = [(each, name) for each, name in ALL if each.model_fields[name].annotation not in {str, Path}]


def variable(settings: Any, name: str) -> str:
    """Return the variable of a setting."""
    return f"{settings.model_config['env_prefix']}{name}".upper()


@pytest.mark.parametrize("value", ["four", "-1", "1e999", "nan", "inf", "9" * 30, "[1]", "TBA", "yes"])
def test_a_wrong_value_is_one_line_with_the_variable(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Of every setting that is not text; the value is not repeated."""
    for settings, name in NOT_TEXT:
        with monkeypatch.context() as patch:
            patch.setenv(variable(settings, name), value)
            with pytest.raises(SettingsError) as raised:
                check_settings()
        assert str(raised.value).startswith(f"{variable(settings, name)}: ")
        assert str(raised.value).endswith("; see .env.example")
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("blank", ["", "  ", "\t"])
def test_a_blank_value_means_the_default(monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    """Of every setting, also if it consists of spaces."""
    for settings, name in ALL:
        with monkeypatch.context() as patch:
            patch.delenv(variable(settings, name), raising=False)
            default = getattr(settings(), name)
            patch.setenv(variable(settings, name), blank)
            assert getattr(settings(), name) == default, name


def test_spaces_around_a_value_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are invisible in a file."""
    monkeypatch.setenv("MILLPOND_MODE", " live ")
    monkeypatch.setenv("NETSUITE_CONCURRENCY", " 3 ")
    monkeypatch.setenv("NETSUITE_BASE_URL", " https://localhost:1 ")

    assert MillpondSettings().mode == "live"
    assert (netsuite_settings().concurrency, netsuite_settings().base_url) == (3, "https://localhost:1")


def test_all_problems_are_listed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of named accounts and connections, by the variable that has the value."""
    monkeypatch.setenv("MILLPOND_ACCOUNTS", "acme")
    monkeypatch.setenv("NETSUITE_ACME_AUTH", "oauth3")
    monkeypatch.setenv("PRECORO_ACME_REGION", "eu")
    with pytest.raises(SettingsError) as raised:
        check_settings()
    assert [line.partition(":")[0] for line in str(raised.value).splitlines()] == [
        "NETSUITE_ACME_AUTH", "PRECORO_ACME_REGION",
    ]  # fmt: skip

    monkeypatch.setenv("PRECORO_ACME_UK_SPACING_S", "0")
    with pytest.raises(SettingsError, match=r"^PRECORO_ACME_UK_SPACING_S: "):
        precoro_settings("acme", "uk")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1234567", "1234567"),
        ("1234567-sb1", "1234567_SB1"),
        ("1234567_sb1", "1234567_SB1"),
        ("tstdrv123", "TSTDRV123"),
        ("", ""),
    ],
)
def test_account_ids_are_normalized(given: str, expected: str) -> None:
    """People copy them from addresses, in the spelling of the address."""
    assert account_id(given) == expected


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("https://1234567-sb1.app.netsuite.com/app/card.nl", "this is an address; the account id in it is 1234567_SB1"),
        ("1234567.suitetalk.api.netsuite.com", "this is an address; the account id in it is 1234567"),
        ("https://system.eu2.netsuite.com", "this is an address; Setup > Company > Company Information shows the id"),
        ("'1234567'", "not an account id; Setup > Company > Company Information shows the id"),
        ("Acme Inc.", "not an account id; Setup > Company > Company Information shows the id"),
    ],
)
def test_what_is_no_account_id_is_named(given: str, problem: str) -> None:
    """With the id, if the address contains it."""
    with pytest.raises(ValueError, match=re.escape(problem)):
        account_id(given)


@given(st.from_regex(r"[0-9A-Za-z]{1,9}([_-][0-9A-Za-z]{1,6})?", fullmatch=True))
def test_normalizing_an_account_id_twice_changes_nothing(text: str) -> None:
    """And every spelling of one account is the same account."""
    spelled = account_id(text)
    assert account_id(spelled) == account_id(spelled.lower()) == account_id(spelled.replace("_", "-")) == spelled


@pytest.mark.parametrize("name", ["a b", "über", "it's", 'q"q', "100%", "h#h", "semi;x", "{x}", "[x]", "a&b"])
def test_homes_with_unusual_names_are_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """Tried with DuckDB and Dagster."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / name))
    assert MillpondSettings().home == tmp_path / name


@pytest.mark.parametrize("name", ["q?q", "a%41", "back\\slash"])
def test_a_home_whose_files_would_be_elsewhere_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """The path is given, or is that of the current folder."""
    (tmp_path / name).mkdir()
    for home, folder in ((tmp_path / name, tmp_path), ("", tmp_path / name), ("home", tmp_path / name)):
        monkeypatch.setenv("MILLPOND_HOME", str(home))
        monkeypatch.chdir(folder)
        with pytest.raises(SettingsError, match=r"^MILLPOND_HOME: the path contains .*; choose another folder"):
            MillpondSettings()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("MILLPOND_MOD", "MILLPOND_MOD is not read; did you mean MILLPOND_MODE?"),
        ("MILPOND_MODE", "MILPOND_MODE is not read; did you mean MILLPOND_MODE?"),
        ("PRECORO_TOKN", "PRECORO_TOKN is not read; did you mean PRECORO_TOKEN?"),
        ("precoro_token", "precoro_token is not read; did you mean PRECORO_TOKEN?"),
        ("NETSUITE_ACME_ACCOUNT", "NETSUITE_ACME_ACCOUNT is not read; did you mean NETSUITE_ACCOUNT?"),
        ("SUITEPROJECTS_QQQQQQQQQQQQ", "SUITEPROJECTS_QQQQQQQQQQQQ is not read; .env.example lists the settings"),
    ],
)
def test_a_variable_that_is_not_read_is_named(name: str, line: str) -> None:
    """With the one that was probably meant."""
    assert unknown_names([name], MillpondSettings()) == [line]


def test_with_accounts_a_variable_without_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """NETSUITE_ACCOUNT would be read for no account."""
    monkeypatch.setenv("MILLPOND_ACCOUNTS", "acme,globex")

    names = ["NETSUITE_ACCOUNT", "NETSUITE_ACME_ACCOUNT", "PRECORO_GLOBEX_UK_TOKEN", "MILLPOND_MODE"]
    assert unknown_names(names, MillpondSettings()) == [
        "NETSUITE_ACCOUNT is not read; did you mean NETSUITE_ACME_ACCOUNT?"
    ]


def test_settings_and_other_programs_variables_are_not_named() -> None:
    """In any case, of connections, and those that Kubernetes sets beside a service."""
    names = [variable(*each) for each in ALL]
    others = ["HOME", "PATH", "netsuite_auth", "PRECORO_UK_TOKEN", "MILLPOND_SERVICE_HOST", "MILLPOND_PORT_80_TCP_ADDR"]
    assert unknown_names([*names, *others], MillpondSettings()) == []
