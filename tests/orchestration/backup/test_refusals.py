"""A file that is no intact backup of this home is refused before anything is changed."""

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.backup import signature
from orchestration.backup.manifest import Manifest
from resources.warehouse.schema_version import SCHEMA_VERSION
from tests.orchestration.backup.conftest import fill, value
from tests.orchestration.backup.test_backup import manifest_of, millpond
from tests.orchestration.conftest import Home

Members = list[tuple[tarfile.TarInfo, bytes]]


def rewritten(file: Path, change: Callable[[Members], Members]) -> Path:
    """Write an archive again with other members."""
    with tarfile.open(file) as archive:
        members = [(each, content.read() if (content := archive.extractfile(each)) else b"") for each in archive]
    other = file.with_name("other.tar.gz")
    with tarfile.open(other, "w:gz") as archive:
        for info, content in change(members):
            info.size = 0 if info.issym() or info.islnk() else len(content)
            archive.addfile(info, io.BytesIO(content))
    return other


def with_manifest(change: Callable[[Manifest], Manifest]) -> Callable[[Members], Members]:
    """Change the manifest."""
    return lambda members: [(members[0][0], change(Manifest.parse(members[0][1])).text.encode()), *members[1:]]


def with_member(name: str, kind: bytes = tarfile.REGTYPE, *, listed: bool = True) -> Callable[[Members], Members]:
    """Add a member, with its entry in the manifest."""

    def change(members: Members) -> Members:
        content = b"content"
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        given = json.loads(members[0][1])
        if listed:
            size = len(content) if kind == tarfile.REGTYPE else 0
            given["members"].append({"path": name, "size": size, "sha256": hashlib.sha256(content).hexdigest()})
        return [(members[0][0], json.dumps(given).encode()), *members[1:], (info, content)]

    return change


def other_content(members: Members) -> Members:
    """Change a byte of the last member."""
    info, content = members[-1]
    return [*members[:-1], (info, content[:-1] + bytes([content[-1] ^ 1]))]


def with_facts(**facts: object) -> Callable[[Members], Members]:
    """Change the manifest's facts, of whatever type."""
    return lambda members: [(members[0][0], json.dumps(json.loads(members[0][1]) | facts).encode()), *members[1:]]


def with_size(size: object) -> Callable[[Members], Members]:
    """Give the last member another size in the manifest."""

    def change(members: Members) -> Members:
        given = json.loads(members[0][1])
        given["members"][-1]["size"] = size
        return [(members[0][0], json.dumps(given).encode()), *members[1:]]

    return change


def with_headers(kind: bytes, size: int, count: int = 1) -> Callable[[Members], Members]:
    """Put extended headers before the last member."""

    def change(members: Members) -> Members:
        info = tarfile.TarInfo("headers")
        info.type = kind
        return [*members[:-1], *[(info, b"\0" * size)] * count, members[-1]]

    return change


def sparse(members: Members) -> Members:
    """Make the last member a sparse file, whose size costs nothing in the archive."""
    given = json.loads(members[0][1])
    given["members"][-1]["size"] = 1 << 30
    info = tarfile.TarInfo(members[-1][0].name)
    info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(1 << 30),
                        "GNU.sparse.map": f"{(1 << 30) - 2},2"}  # fmt: skip
    return [(members[0][0], json.dumps(given).encode()), *members[1:-1], (info, b"xx")]


ONE_ACCOUNT = {"name": "", "position": 0}
CASES: dict[str, tuple[Callable[[Members], Members], str]] = {
    "a parent folder": (with_member("../evil"), "is not one of a backup"),
    "an absolute path": (with_member("/etc/evil"), "is not one of a backup"),
    "a path within": (with_member("warehouse/../../evil"), "is not one of a backup"),
    "another file": (with_member("dagster.yaml"), "is not one of a backup"),
    "the folder itself": (with_member("."), "is not one of a backup"),
    "a name with control characters": (with_member("dagster/\x1b[2J.db"), "is not one of a backup"),
    "a long path": (with_member(f"dagster/{'a/' * 200}b.db"), "is not one of a backup"),
    "a symbolic link": (with_member("alerts.sqlite", tarfile.SYMTYPE), "is not one of a backup"),
    "a hard link": (with_member("alerts.sqlite", tarfile.LNKTYPE), "is not one of a backup"),
    "a file that is not listed": (with_member("alerts.sqlite", listed=False), "is not one of a backup"),
    "another checksum": (other_content, "has another checksum"),
    "a missing file": (lambda members: members[:-1], "is missing"),
    "no manifest": (lambda members: members[1:], "not a backup of Millpond"),
    "a damaged manifest": (lambda members: [(members[0][0], b"{}"), *members[1:]], "manifest.json is damaged"),
    "deep nesting": (lambda members: [(members[0][0], b"[" * 200_000), *members[1:]], "manifest.json is damaged"),
    "a schema that is no number": (
        with_facts(accounts=[ONE_ACCOUNT | {"schema_version": "x"}]),
        "manifest.json is damaged",
    ),
    "an account that is none": (
        with_facts(accounts=[ONE_ACCOUNT | {"bindings": {"netsuite": "x"}}]),
        "manifest.json is damaged",
    ),
    "a name that is none": (with_facts(accounts=[ONE_ACCOUNT | {"name": []}]), "manifest.json is damaged"),
    "an endless size": (with_size(float("inf")), "manifest.json is damaged"),
    "a size that no float holds": (with_size(10**400), "manifest.json is damaged"),
    "a negative size": (with_size(-5), "manifest.json is damaged"),
    "more than the disk has": (with_size(1 << 60), "MB free"),
    "a time of another zone": (with_facts(made_at="2026-01-01T00:00:00+05:00"), "manifest.json is damaged"),
    "a time to come": (with_facts(made_at="9999-12-31 23:59:59"), "made in the future"),
    "no warehouse": (
        lambda members: [(members[0][0], json.dumps(json.loads(members[0][1]) | {"members": []}).encode())],
        "has no warehouse",
    ),
    "a large header": (with_headers(tarfile.XHDTYPE, 1 << 20), "a header of"),
    "a long name": (with_headers(tarfile.GNUTYPE_LONGNAME, 1 << 20), "a header of"),
    "thousands of headers": (with_headers(tarfile.GNUTYPE_LONGNAME, 8, 2000), "damaged, or not a backup"),
    "a sparse file": (sparse, "is not one of a backup"),
    "a newer format": (with_manifest(lambda each: replace(each, format=99)), "whose format is newer"),
    "a newer schema": (
        with_manifest(
            lambda each: replace(each, accounts=[replace(each.accounts[0], schema_version=SCHEMA_VERSION + 1)])
        ),
        "a newer Millpond has upgraded it",
    ),
    "another mode": (with_manifest(lambda each: replace(each, mode="live")), "but the mode is sandbox"),
    "other accounts": (
        with_manifest(lambda each: replace(each, accounts=[replace(each.accounts[0], name="acme")])),
        "set MILLPOND_ACCOUNTS",
    ),
    "another NetSuite account": (
        with_manifest(
            lambda each: replace(
                each, accounts=[replace(each.accounts[0], bindings={"netsuite": {"account": "7654321"}})]
            )
        ),
        "its netsuite belongs to account 7654321",
    ),
}


def test_every_altered_archive_is_refused(small: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the reason; the home is as it was, and nothing is written outside of it."""
    file = tmp_path / "one.tar.gz"
    assert millpond("backup", file) == 0
    fill(small, "two")
    before = sorted(each.name for each in tmp_path.iterdir())
    for name, (change, text) in CASES.items():
        altered = rewritten(file, change)
        capsys.readouterr()
        assert millpond("restore", altered) == 2, name
        said = " ".join(capsys.readouterr().out.split())
        assert text in said, (name, said)
        altered.unlink()
    for end in (0, 10, file.stat().st_size // 2, file.stat().st_size * 3 // 4):
        altered = file.with_name("other.tar.gz")
        altered.write_bytes(file.read_bytes()[:end])
        assert millpond("restore", altered) == 2, end
        assert "damaged, or not a backup of Millpond" in " ".join(capsys.readouterr().out.split())
        altered.unlink()
    assert millpond("restore", tmp_path / "missing") == 2
    assert value(small) == "two"
    assert sorted(each.name for each in tmp_path.iterdir()) == before
    assert not [each.name for each in small.folder.iterdir() if "restore" in each.name and each.name != "restore.lock"]
    assert manifest_of(file).members


def test_a_lake_names_its_own_tools(small: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A DuckLake is backed up with PostgreSQL's and the object store's tools; both commands say which."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_WAREHOUSE_CATALOG", "host=db dbname=millpond")
        patch.setenv("MILLPOND_WAREHOUSE_DATA", "s3://bucket/warehouse")
        for command in ("backup", "restore"):
            assert millpond(command, tmp_path / "one.tar.gz") == 2
            said = " ".join(capsys.readouterr().out.split())
            assert "pg_dump --schema=millpond" in said
            assert "s3://bucket/warehouse" in said
            assert "millpond restore --only-record" in said
    assert value(small) == "one"


KEY, OTHER_KEY = "A" * 43 + "=", "B" * 43 + "="


def consistent_forgery(members: Members) -> Members:
    """Change a file, and its checksum in the manifest."""
    changed = other_content(members)
    given = json.loads(members[0][1])
    given["members"][-1]["sha256"] = hashlib.sha256(changed[-1][1]).hexdigest()
    return [(members[0][0], json.dumps(given).encode()), *changed[1:]]


def unsigned(members: Members) -> Members:
    """Remove the signature."""
    return [each for each in members if each[0].name != signature.NAME]


@pytest.mark.parametrize(
    ("change", "key", "found"),
    [
        (consistent_forgery, KEY, "its signature does not match"),
        (lambda members: consistent_forgery(unsigned(members)), KEY, "not signed"),
        (unsigned, KEY, "not signed"),
        (with_facts(made_at="2020-01-01 00:00:00"), KEY, "its signature does not match"),
        (lambda members: [members[0], (members[1][0], b"hmac:" + b"0" * 64), *members[2:]], KEY, "does not match"),
        (lambda members: [members[0], (members[1][0], "hmac:\u00e9".encode()), *members[2:]], KEY, "does not match"),
        (list, OTHER_KEY, "its signature does not match"),
        (list, "", "set MILLPOND_ENCRYPTION_KEY"),
    ],
)
def test_a_forged_backup_is_refused_with_a_key(
    small: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Members], Members],
    key: str,
    found: str,
) -> None:
    """A checksum that fits is no proof; nothing is unpacked, and the home stays as it was."""
    monkeypatch.setenv("MILLPOND_ENCRYPTION_KEY", KEY)
    file = tmp_path / "backup.tar.gz"
    assert millpond("backup", str(file)) == 0
    forged = rewritten(file, change)
    fill(small, "two")
    monkeypatch.setenv("MILLPOND_ENCRYPTION_KEY", key)
    capsys.readouterr()

    assert millpond("restore", str(forged)) == 2
    assert found in " ".join(capsys.readouterr().out.split())
    assert value(small) == "two"
    assert not list(small.folder.glob(".restore.*"))


@pytest.mark.parametrize(("made_with", "keys"), [(KEY, f"{OTHER_KEY},{KEY}"), ("", ""), ("", KEY)])
def test_a_backup_is_restored_with_its_key_or_on_request(
    small: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_with: str, keys: str,
) -> None:  # fmt: skip
    """Also after a rotation; one from before the key was set only if a person says so."""
    monkeypatch.setenv("MILLPOND_ENCRYPTION_KEY", made_with)
    file = tmp_path / "backup.tar.gz"
    assert millpond("backup", str(file)) == 0
    fill(small, "two")
    monkeypatch.setenv("MILLPOND_ENCRYPTION_KEY", keys)
    is_asked = bool(keys) and not made_with
    assert millpond("restore", str(file)) == (2 if is_asked else 0)
    if is_asked:
        assert millpond("restore", str(file), "--unsigned") == 0

    assert value(small) == "one"


def test_a_folder_from_elsewhere_is_restored_on_request_and_private(
    small: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An archive that was unpacked beside the home would get around its signature."""
    monkeypatch.setenv("MILLPOND_ENCRYPTION_KEY", KEY)
    folder = tmp_path / "unpacked"
    shutil.copytree(small.folder / "warehouse", folder / "warehouse")
    (folder / "warehouse" / "millpond.duckdb").chmod(0o666)
    fill(small, "two")

    assert millpond("restore", str(folder)) == 2
    assert "a folder has no signature" in " ".join(capsys.readouterr().out.split())
    assert value(small) == "two"
    assert millpond("restore", str(folder), "--unsigned") == 0
    assert value(small) == "one"
    assert not [each for each in (small.folder / "warehouse").rglob("*") if each.stat().st_mode & 0o077]
