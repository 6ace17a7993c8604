"""`millpond ledger verify` and `millpond ledger export`."""

import json
from pathlib import Path

import pytest

from assets.delivery.ledger.tables import ensure_ledger
from orchestration.authorization import current_user
from orchestration.ledger_check import check_ledger
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


def test_a_broken_ledger_is_code_1(ledger: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The first row is named, in JSON as well; an export of it is written, and says so."""
    with ledger.warehouse.writer() as con:
        con.execute("update sync_attempts set target_id = '99' where attempt_id = 'r0a1' and state = 'confirmed'")

    output = run_command(capsys, "ledger", "verify")
    as_json = run_command(capsys, "ledger", "verify", "--json")
    export = run_command(capsys, "ledger", "export", str(tmp_path / "export"))

    assert (output.code, as_json.code, export.code) == (1, 1, 1)
    assert "the exported ledger is not whole" in " ".join(export.lines)
    assert output.lines[0].startswith("✗ the ledger is broken: 1 finding; 6 entries")
    text = "flow attempt r0a1 confirmed (position 4) was changed after it was signed as entry 4"
    found = json.loads(as_json.out)["ledger"]
    name = found["problems"][0].pop("id")
    assert (found["is_whole"], found["problems"]) == (False, [{"what": "changed", "text": text, "number": 4}])
    assert output.lines[1] == f"    changed: {text} [{name}]"


def test_a_finding_that_is_acknowledged_is_no_alarm_until_it_changes(
    ledger: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stays listed, with who and why; the same row changed again is new."""
    change = "update sync_attempts set target_id = ? where attempt_id = 'r0a1' and state = 'confirmed'"
    with ledger.warehouse.writer() as con:
        con.execute(change, ["99"])
    verified = run_command(capsys, "ledger", "verify", "--json")
    name = json.loads(verified.out)["ledger"]["problems"][0]["id"]

    made = run_command(capsys, "ledger", "acknowledge", name[:6], "--reason", "repaired manually")
    output = run_command(capsys, "ledger", "verify")

    assert (made.code, output.code) == (0, 0), (made.lines, output.lines)
    assert output.lines[0].startswith("✓ the ledger is whole, but for 1 known finding: ")
    assert f"acknowledged by {current_user()} on " in " ".join(output.lines)
    assert "repaired manually" in " ".join(output.lines)
    assert check_ledger(ledger.warehouse).is_whole
    again = run_command(capsys, "ledger", "acknowledge", name, "--reason", "again")
    assert (again.code, "is already acknowledged" in " ".join(again.lines)) == (2, True)

    with ledger.warehouse.writer() as con:
        con.execute(change, ["98"])
    assert run_command(capsys, "ledger", "verify").code == 1
    assert not check_ledger(ledger.warehouse).is_whole


def test_what_cannot_be_acknowledged_says_why(ledger: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """No such finding; no reason; or a chain to which nothing can be added."""
    nothing = run_command(capsys, "ledger", "acknowledge", "abc", "--reason", "known")
    blank = run_command(capsys, "ledger", "acknowledge", "abc", "--reason", " ")
    with ledger.warehouse.writer() as con:
        con.execute("delete from sync_chain where number = 6")
    broken = run_command(capsys, "ledger", "verify", "--json")
    name = json.loads(broken.out)["ledger"]["problems"][0]["id"]
    cut = run_command(capsys, "ledger", "acknowledge", name, "--reason", "known")

    assert (nothing.code, "no such finding" in " ".join(nothing.lines)) == (2, True)
    assert (blank.code, "`--reason` is blank" in " ".join(blank.lines)) == (2, True)
    assert (cut.code, "nothing can be acknowledged" in " ".join(cut.lines)) == (2, True)


def test_a_lost_key_is_followed_by_a_new_one_that_says_so(
    ledger: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each later verification, of an export as well, names the entries for which the new key does not vouch."""
    present = run_command(capsys, "ledger", "restart", "--reason", "lost")
    assert (present.code, "nothing is lost" in " ".join(present.lines)) == (2, True)
    monkeypatch.setenv("MILLPOND_LEDGER_KEY", "")
    unset = run_command(capsys, "ledger", "restart", "--reason", "lost")
    assert (unset.code, "no new key is set" in " ".join(unset.lines)) == (2, True)
    monkeypatch.setenv("MILLPOND_LEDGER_KEY", OTHER_KEY)
    assert seal_ledger(ledger.warehouse).endswith("to `new,old` to replace it")

    made = run_command(capsys, "ledger", "restart", "--reason", "the disk with the key broke")
    assert made.code == 0, made.lines
    assert not seal_ledger(ledger.warehouse)
    with ledger.warehouse.writer() as con:
        add_run(con, 1, _1=("update", "11"), _2=("create", "12"))
    assert not seal_ledger(ledger.warehouse)
    folder = tmp_path / "audit"
    run_command(capsys, "ledger", "export", str(folder))

    for arguments in ((), (str(folder),)):
        output = run_command(capsys, "ledger", "verify", *arguments)
        text = " ".join(" ".join(output.lines).split())
        assert output.code == 0, output.lines
        assert f"because the key {PUBLIC[:12]}… was lost, as {current_user()} recorded" in text
        assert "vouches for nothing before entry 7" in text


@pytest.mark.usefixtures("ledger")
def test_a_restart_by_a_key_that_is_not_the_owners_is_found(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner still has the key that was called lost."""
    monkeypatch.setenv("MILLPOND_LEDGER_KEY", OTHER_KEY)
    run_command(capsys, "ledger", "restart", "--reason", "made up")
    monkeypatch.setenv("MILLPOND_LEDGER_KEY", KEY)

    output = run_command(capsys, "ledger", "verify")

    assert output.code == 1
    assert "which is not one of yours" in " ".join(" ".join(output.lines).split())


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
        (["verify", "no_such_folder"], "not an export of"),
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
