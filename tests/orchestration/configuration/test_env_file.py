"""The .env file as people and their editors leave it: encodings, quotes, duplicates, lines that set nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.configuration.env_file import load_env_file, read_env_file
from orchestration.configuration.settings import ROOT
from orchestration.configuration.settings_error import SettingsError

MAIN = [sys.executable, "-c", "from orchestration.cli.main import main; main()"]
LIVE = "NETSUITE_ACCOUNT=1234567\nMILLPOND_MODE=live\n"


@pytest.mark.parametrize(
    "text",
    [
        "MILLPOND_MODE=live",
        "MILLPOND_MODE = live \n",
        "export MILLPOND_MODE=live\n",
        "MILLPOND_MODE='live'\n",
        'MILLPOND_MODE="live"  # production\n',
        "MILLPOND_MODE=live # production\n",
        "# first\r\n\r\nMILLPOND_MODE=live\r\n",
        "MILLPOND_MODE=live\nMILLPOND_MODE=live\n",
        "OTHER\nOTHER=1\nOTHER=2\nMILLPOND_MODE=live\n",
        "\ufeffMILLPOND_MODE=live\n",
    ],
)
def test_every_usual_way_to_write_a_line_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A byte-order mark made the first variable another one, which nothing reads."""
    (tmp_path / ".env").write_bytes(text.encode())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MILLPOND_MODE", raising=False)

    load_env_file()

    assert os.environ["MILLPOND_MODE"] == "live"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (LIVE.encode("utf-16"), "not UTF-8, but probably UTF-16; save it as UTF-8"),
        (LIVE.encode("utf-16-le"), "not UTF-8, but probably UTF-16; save it as UTF-8"),
        (LIVE.encode("utf-32"), "not UTF-8, but probably UTF-16; save it as UTF-8"),
        (f"{LIVE}# für uns\n".encode("latin-1"), "3: not UTF-8, but perhaps Latin-1; save it as UTF-8"),
        (b'\nMILLPOND_MODE="live\n', "2: not of the form NAME=value; check the name, the equals sign and the quotes"),
        (b"MILLPOND_MODE: live\n", "1: not of the form NAME=value; check the name, the equals sign and the quotes"),
        (b"MILLPOND_MODE\n", "1: MILLPOND_MODE has no value; write MILLPOND_MODE=value"),
        (
            LIVE.encode() + b"MILLPOND_MODE=sandbox\n",
            "3: MILLPOND_MODE has another value in line 2; remove one of them",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, content: bytes, problem: str) -> None:
    """With file and line, and without values, as they may be secrets."""
    file = tmp_path / ".env"
    file.write_bytes(content)

    with pytest.raises(SettingsError) as raised:
        read_env_file(file)

    assert str(raised.value) in {f"{file}:{problem}", f"{file}: {problem}"}


@pytest.mark.parametrize("command", ["run", "plans", "doctor", "validate", "upgrade", "demo", "sandbox", "ui"])
def test_every_command_refuses_it_with_one_line(tmp_path: Path, command: str) -> None:
    """Exit code 2 and no traceback, although the file is read while modules are imported."""
    (tmp_path / ".env").write_bytes(LIVE.encode("utf-16"))
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}

    done = subprocess.run(
        [*MAIN, command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )

    line = f"✗ {tmp_path}/.env: not UTF-8, but probably UTF-16; save it as UTF-8\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, line, "")
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_line_breaks_around_a_value_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is read from a file ends with one, and could not be sent in a header."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRECORO_TOKEN", "token\r\n")

    load_env_file()

    assert os.environ["PRECORO_TOKEN"] == "token"
