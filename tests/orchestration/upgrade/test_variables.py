"""Settings under old names: of .env they are adopted, of the environment they are refused."""

import os
from pathlib import Path

import pytest
from dotenv import load_dotenv

from orchestration.configuration.settings import MillpondSettings
from orchestration.upgrade.ensure import ensure_current
from orchestration.upgrade.errors import UpgradeError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to start in, without workflow files and without a home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MILLPOND_WORKFLOWS", str(tmp_path / "workflows"))
    for name in ("MILLPOND_RELEASERS", "MILLPOND_APPROVERS", "MILLPOND_SEAL_KEY", "MILLPOND_ENCRYPTION_KEY"):
        monkeypatch.setenv(name, "")  # so that it is restored afterwards
        monkeypatch.delenv(name)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_old_names_in_the_environment_stop_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise approvers would be everyone, and plans would be stored readable."""
    monkeypatch.setenv("MILLPOND_RELEASERS", "ada")
    monkeypatch.setenv("MILLPOND_SEAL_KEY", "key")
    with pytest.raises(UpgradeError) as stopped:
        ensure_current(pytest.fail)

    assert "MILLPOND_SEAL_KEY (now MILLPOND_ENCRYPTION_KEY), MILLPOND_RELEASERS (now MILLPOND_APPROVERS)" in str(
        stopped.value
    )
    assert "key)" not in str(stopped.value).replace("_KEY)", "")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("old", "new"), [("", ""), ("ada", "ada")])
def test_blank_and_doubled_names_are_harmless(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """A blank setting is the default; one that is set under its new name as well is read under that."""
    monkeypatch.setenv("MILLPOND_RELEASERS", old)
    monkeypatch.setenv("MILLPOND_APPROVERS", new)
    ensure_current(pytest.fail)

    assert MillpondSettings().approvers == new


def test_settings_of_env_are_in_effect_at_once(folder: Path) -> None:
    """The process that renames them uses their values, not the defaults."""
    file = folder / ".env"
    file.write_text("MILLPOND_RELEASERS=ada\nMILLPOND_HOME=elsewhere\n")
    file.chmod(0o600)
    load_dotenv(file)
    lines: list[str] = []
    ensure_current(lines.append)

    assert MillpondSettings().approvers == "ada"
    assert "MILLPOND_RELEASERS" not in os.environ
    assert file.read_text() == "MILLPOND_APPROVERS=ada\nMILLPOND_HOME=elsewhere\n"
    assert file.stat().st_mode & 0o777 == 0o600
    copy = folder / "home" / "before-0.2.0" / ".env"
    assert copy.read_text().startswith("MILLPOND_RELEASERS=ada")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert any(str(file) in line for line in lines)
    ensure_current(pytest.fail)


def test_variables_of_a_file_that_another_process_converted_are_not_an_error(folder: Path) -> None:
    """Two processes read the old file, one converts it, and both continue."""
    (folder / ".env").write_text("MILLPOND_RELEASERS=ada\n")
    load_dotenv(folder / ".env")
    (folder / ".env").write_text("MILLPOND_APPROVERS=ada\n")
    ensure_current(pytest.fail)

    assert MillpondSettings().approvers == "ada"


def test_the_environment_takes_precedence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As before: a variable that is set is not replaced by the file's."""
    (folder / ".env").write_text("MILLPOND_RELEASERS=ada\n")
    load_dotenv(folder / ".env")
    monkeypatch.setenv("MILLPOND_APPROVERS", "grace")
    ensure_current(lambda _: None)

    assert MillpondSettings().approvers == "grace"


def test_both_names_in_one_file_are_an_error(folder: Path) -> None:
    """The file itself does not say which of them counts."""
    (folder / ".env").write_text("MILLPOND_RELEASERS=ada\nMILLPOND_APPROVERS=grace\n")
    with pytest.raises(UpgradeError, match="MILLPOND_RELEASERS and MILLPOND_APPROVERS"):
        ensure_current(pytest.fail)
