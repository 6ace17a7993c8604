"""Analysts' tools, each in its own process, read a snapshot while runs replace it."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from resources.warehouse.warehouse import Warehouse

ROWS, RUNS = 5_000, 6
QUERY = "select min(run) as first, max(run) as last, count(*) as n from one"

# each reads until the stop file exists, and fails if it sees a part of a run
TOOLS = {
    "polars": """
import polars as pl, duckdb
def read():
    with duckdb.connect(path, read_only=True) as con:
        return pl.DataFrame(con.sql(query)).row(0)
""",
    "python": """
import duckdb
def read():
    with duckdb.connect(path, read_only=True) as con:
        return con.execute(query).fetchall()[0]
""",
    "BI tool (SQLAlchemy)": """
import sqlalchemy as sa
def read():
    engine = sa.create_engine(f"duckdb:///{path}", connect_args={"read_only": True}, poolclass=sa.pool.NullPool)
    with engine.connect() as con:
        return tuple(con.execute(sa.text(query)).one())
""",
    "notebook": """
import nbformat
from nbclient import NotebookClient
statement = f"with duckdb.connect({path!r}, read_only=True) as con:\\n    print(con.execute({query!r}).fetchall()[0])"
cell = f"import duckdb\\n{statement}"
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
def read():
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    return eval(notebook.cells[0].outputs[0].text)
""",
}
LOOP = """
import sys, time
from pathlib import Path
path, stop, query = sys.argv[1:]
{tool}
reads = 0
print("ready", flush=True)
while True:
    last_time = Path(stop).exists()
    first, last, n = read()
    assert first == last and n == {rows}, (first, last, n)
    reads += 1
    if last_time:
        break
print(reads, last)
"""


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_reads_while_runs_publish(warehouse: Warehouse, tool: str, tmp_path: Path) -> None:
    """It gets no error and no partial run, and after the last run it reads the last run."""
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
    output, errors = reader.communicate(timeout=300)

    assert reader.returncode == 0, errors[-2000:]
    reads, last = map(int, output.split())
    assert reads >= 1
    assert last == RUNS - 1


def publish(warehouse: Warehouse, number: int) -> None:
    """Publish the rows of one run."""
    warehouse.replace("one", pl.DataFrame({"run": [number] * ROWS}))
    warehouse.publish()
