"""The tools of analysts, each in a process of its own, on a snapshot that is published anew meanwhile."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from resources.warehouse.warehouse import Warehouse

ROWS, RUNS = 5_000, 6
QUERY = "select min(run) as first, max(run) as last, count(*) as n from one"

# each asks until it is told to stop, in its own way, and ends with an error when it sees half a run
TOOLS = {
    "polars": """
import polars as pl, duckdb
def ask():
    with duckdb.connect(path, read_only=True) as con:
        return pl.DataFrame(con.sql(query)).row(0)
""",
    "python": """
import duckdb
def ask():
    with duckdb.connect(path, read_only=True) as con:
        return con.execute(query).fetchall()[0]
""",
    "BI tool (SQLAlchemy)": """
import sqlalchemy as sa
def ask():
    engine = sa.create_engine(f"duckdb:///{path}", connect_args={"read_only": True}, poolclass=sa.pool.NullPool)
    with engine.connect() as con:
        return tuple(con.execute(sa.text(query)).one())
""",
    "notebook": """
import nbformat
from nbclient import NotebookClient
ask_once = f"with duckdb.connect({path!r}, read_only=True) as con:\\n    print(con.execute({query!r}).fetchall()[0])"
cell = f"import duckdb\\n{ask_once}"
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
def ask():
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    return eval(notebook.cells[0].outputs[0].text)
""",
}
LOOP = """
import sys, time
from pathlib import Path
path, stop, query = sys.argv[1:]
{tool}
asked = 0
print("ready", flush=True)
while True:
    last_time = Path(stop).exists()
    first, last, n = ask()
    assert first == last and n == {rows}, (first, last, n)
    asked += 1
    if last_time:
        break
print(asked, last)
"""


@pytest.mark.parametrize("tool", TOOLS)
def test_it_reads_while_runs_go_on(warehouse: Warehouse, tool: str, tmp_path: Path) -> None:
    """No error, no half run; who asks after the last run sees the last run."""
    pytest.importorskip("nbclient", reason="`make test-scale` has an environment with analysts' tools")
    publish(warehouse, 0)
    stop, code = tmp_path / "stop", LOOP.format(tool=TOOLS[tool], rows=ROWS)
    reader = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, str(warehouse.snapshot), str(stop), QUERY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout
    assert reader.stdout.readline() == "ready\n"
    for number in range(1, RUNS):
        publish(warehouse, number)
    stop.touch()
    told, wrong = reader.communicate(timeout=300)

    assert reader.returncode == 0, wrong[-2000:]
    asked, last = map(int, told.split())
    assert asked >= 1
    assert last == RUNS - 1


def publish(warehouse: Warehouse, number: int) -> None:
    """One run."""
    warehouse.replace("one", pl.DataFrame({"run": [number] * ROWS}))
    warehouse.publish()
