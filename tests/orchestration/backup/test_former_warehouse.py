"""A restore does not end a forgetting: what is read of the record stays without its personal values."""

from pathlib import Path

import pytest

from resources.warehouse.forgotten import mark_rows, open_marks
from tests.orchestration.backup.test_backup import millpond
from tests.orchestration.conftest import Home


def test_a_backup_from_before_does_not_end_it(small: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The restored warehouse has the values again, so the command to repeat is printed."""
    before = tmp_path / "before.tar.gz"
    assert millpond("backup", before) == 0
    with small.warehouse.writer() as con:
        con.execute("insert into sync_forgotten (source, source_id, kept) values ('contacts', '7', '{}')")
    assert millpond("restore", before) == 0
    assert "`millpond forget contacts 7`" in " ".join(capsys.readouterr().out.split())
    with small.warehouse.writer(transaction=False) as con:
        assert [(each.source, each.source_id) for each in open_marks(con)] == [("contacts", "7")]
        assert len(mark_rows(con)) == 1


def test_a_damaged_former_warehouse_is_no_evidence(
    small: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is known then of records that were forgotten since the backup, or of shadow mode."""
    before = tmp_path / "before.tar.gz"
    assert millpond("backup", before) == 0
    (small.folder / "warehouse" / "millpond.duckdb").write_bytes(b"damaged")
    assert millpond("restore", before) == 0
    assert "cannot be read: a record that was forgotten after the backup" in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("small")
def test_on_another_machine_nothing_is_known_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor after files were put back by other means; what to repeat is printed."""
    before, unknown = tmp_path / "before.tar.gz", "no former warehouse: a record that was forgotten after the backup"
    assert millpond("backup", before) == 0
    assert millpond("restore", before, "--home", tmp_path / "other") == 0
    assert unknown in " ".join(capsys.readouterr().out.split())
    assert millpond("restore", "--only-record") == 0
    assert unknown in " ".join(capsys.readouterr().out.split())
