"""A restore does not end a forgetting: what is read of the record stays without its personal values."""

from pathlib import Path

import pytest

from orchestration.backup.marks_left import marks_left
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


def test_a_former_warehouse_that_cannot_be_read_has_none(tmp_path: Path) -> None:
    """A damaged file may be the reason of the restore."""
    damaged = tmp_path / "millpond.duckdb"
    assert marks_left(damaged) == []
    damaged.write_bytes(b"damaged")
    assert marks_left(damaged) == []
