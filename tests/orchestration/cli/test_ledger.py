"""`millpond ledger verify` and `millpond ledger export`."""

import json
from pathlib import Path

import pytest

from assets.delivery.ledger.tables import ensure_ledger
from orchestration.ledger_sealing import seal_ledger
from resources.signing import Signer
from tests.assets.delivery.chain.ledger_chain import KEY, OTHER_KEY, add_run
from tests.orchestration.cli.test_main import run_command
from tests.orchestration.conftest import Home

PUBLIC = Signer(KEY).public_key


@pytest.fixture
def ledger(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose ledger has one sealed run."""
    monkeypatch.setenv("MILLPOND_LEDGER_KEY", KEY)
    home.warehouse.replace("stg_netsuite__customers", home.warehouse.read("select '1' as customer_id"))
    with home.warehouse.writer() as con:
        ensure_ledger(con)
        add_run(con, 0, _1=("create", "11"), _2=("create", "12"))
    assert not seal_ledger(home.warehouse)
    return home


def test_a_whole_ledger_is_code_0(ledger: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The lines say what is covered, and what is not yet."""
    with ledger.warehouse.writer() as con:
        add_run(con, 1, _1=("update", "11"), _2=("create", "12"))

    output = run_command(capsys, "ledger", "verify")

    assert output.code == 0, output.lines
    assert output.lines[0].startswith("✓ the ledger is whole: 6 entries in 1 checkpoint, ")
    assert output.lines[1] == "    as signed: 4 attempts, 2 decisions"
    assert output.lines[2] == f"    signed with {PUBLIC[:12]}…"
    assert output.lines[3].startswith("    not covered: 6 rows since the last checkpoint, of ")


def test_a_broken_ledger_is_code_1(ledger: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The first row is named, in JSON as well."""
    with ledger.warehouse.writer() as con:
        con.execute("update sync_attempts set target_id = '99' where attempt_id = 'r0a1' and state = 'confirmed'")

    output = run_command(capsys, "ledger", "verify")
    as_json = run_command(capsys, "ledger", "verify", "--json")

    assert (output.code, as_json.code) == (1, 1)
    assert output.lines[0].startswith("✗ the ledger is broken: 1 finding; 6 entries")
    text = "flow attempt r0a1 confirmed (position 4) was changed after it was signed as entry 4"
    assert output.lines[1] == f"    changed: {text}"
    found = json.loads(as_json.out)["ledger"]
    assert (found["is_whole"], found["problems"]) == (False, [{"what": "changed", "text": text, "number": 4}])


def test_an_export_is_verified_without_a_home(
    ledger: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whoever has the public key; the manifest is a checkpoint that was kept elsewhere."""
    folder = tmp_path / "export"
    made = run_command(capsys, "ledger", "export", str(folder), "--json")
    monkeypatch.delenv("MILLPOND_LEDGER_KEY")
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "elsewhere"))
    whole = run_command(capsys, "ledger", "verify", str(folder), "--public-key", PUBLIC)
    other = run_command(capsys, "ledger", "verify", str(folder), "--public-key", Signer(OTHER_KEY).public_key)
    monkeypatch.setenv("MILLPOND_HOME", str(ledger.folder))
    kept = run_command(
        capsys, "ledger", "verify", "--public-key", PUBLIC, "--checkpoint", str(folder / "manifest.json")
    )

    assert made.code == 0, made
    assert json.loads(made.out)["ledger_export"]["public_keys"] == [PUBLIC]
    assert (whole.code, other.code, kept.code) == (0, 1, 0), (whole.lines, kept.lines)
    assert "not one of yours" in other.lines[1]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["verify", "no_such_folder"], "no export of"),
        (["verify", "--checkpoint", "no_such_file"], "no such file"),
        (["export", "folder", "--since", "2001-01-01", "--until", "2001-01-02"], "no checkpoint from 2001-01-01"),
    ],
)
@pytest.mark.usefixtures("ledger")
def test_what_is_not_there_is_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], text: str
) -> None:
    """The text names it."""
    monkeypatch.chdir(tmp_path)
    output = run_command(capsys, "ledger", *arguments)

    assert output.code == 2
    assert text in output.out


@pytest.mark.parametrize("arguments", [["verify"], ["export", "folder"]])
@pytest.mark.usefixtures("home")
def test_an_empty_home_has_no_ledger(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """Nothing has been read yet."""
    assert run_command(capsys, "ledger", *arguments).code == 2
