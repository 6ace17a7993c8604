"""The diagram of the tables shows each of them, and each arrow stands for a table that is read."""

import re
from dataclasses import replace

from assets.warehouse.catalog.catalog import Entry, page
from assets.warehouse.catalog.diagram import ENGINE_READS, mermaid

ENTRIES = [
    Entry("raw_netsuite__records", "table", "", "Extracted & <raw>", (), 7),
    Entry("stg_netsuite__records", "table", "", "Staged", ("raw_netsuite__records",), 7),
    Entry("mart_one", "table", "", "Desired", ("stg_netsuite__records",)),
    Entry("mart_two", "table", "", "Desired", ("stg_netsuite__records",)),
    Entry("target_one", "table", "", "Target state", ()),
    Entry("plan_one", "table", "", "Planned", ()),
    Entry("sync_one", "table", "", "Sent", ()),
    Entry("sync_links", "table", "", "Links", ()),
    Entry("question", "view", "question", "Analytics", ("sync_links", "stg_netsuite__records", "missing_table")),
]
# every line that Mermaid has to understand: header, group, node, end of group, arrow
LINE = re.compile(r'flowchart LR|  subgraph \w+\["[^"]+"\]|    \w+(\["[^"]+"\])?|  end|  \w+ --> \w+')
RESERVED = {"end", "default", "graph", "flowchart", "subgraph", "style", "class", "click", "linkStyle"}
MAX_EDGES = 500  # Mermaid renders no more by default


def nodes(diagram: str) -> dict[str, str]:
    """Return the nodes of a diagram: label by id."""
    found = re.findall(r'^    (\w+)(?:\["([^"]+)"\])?$', diagram, re.MULTILINE)
    return {name: label or name for name, label in found}


def arrows(diagram: str) -> list[tuple[str, str]]:
    """Return the arrows of a diagram: from a table to the table that reads it."""
    return re.findall(r"^  (\w+) --> (\w+)$", diagram, re.MULTILINE)


def test_each_table_is_a_node() -> None:
    """The tables of workflows are one node per kind."""
    assert nodes(mermaid(ENTRIES)) == {
        "raw_netsuite__records": "raw_netsuite__records",
        "stg_netsuite__records": "stg_netsuite__records",
        "mart_all": "mart_… (2 tables)",
        "target_all": "target_… (1 table)",
        "plan_all": "plan_… (1 table)",
        "sync_all": "sync_… (1 table)",
        "sync_links": "sync_links",
        "question": "question",
    }


def test_each_arrow_is_a_table_that_is_read() -> None:
    """SQL headers and the engine list the reads; tables that do not exist have no arrow."""
    diagram = mermaid(ENTRIES)
    ids = {label.partition(" ")[0]: name for name, label in nodes(diagram).items()}

    expected = {("raw_netsuite__records", "stg_netsuite__records"), ("stg_netsuite__records", "mart_all")}
    expected |= {("sync_links", "question"), ("stg_netsuite__records", "question")}
    expected |= {
        (ids[read], ids[name]) for name in ENGINE_READS for read in ENGINE_READS[name] if {name, read} <= set(ids)
    }

    assert sorted(arrows(diagram)) == sorted(expected)


def test_the_diagram_does_not_depend_on_row_counts() -> None:
    """The page in the project does not change with the data."""
    assert mermaid(ENTRIES) == mermaid([replace(each, rows=99) for each in ENTRIES])


def test_the_diagram_is_valid_mermaid() -> None:
    """Each line has one of the forms that Mermaid's flowchart grammar allows; groups are closed."""
    diagram = mermaid(ENTRIES)
    lines = diagram.splitlines()

    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert sum("subgraph" in line for line in lines) == lines.count("  end")
    assert not RESERVED & nodes(diagram).keys()
    assert {name for arrow in arrows(diagram) for name in arrow} <= nodes(diagram).keys()
    assert len(arrows(diagram)) < MAX_EDGES


def test_the_page_contains_the_diagram_and_each_table() -> None:
    """GitHub and the documentation site render the fenced block."""
    diagram = mermaid(ENTRIES)
    written = page(ENTRIES, diagram)

    assert f"```mermaid\n{diagram}```\n" in written
    assert [line.removeprefix("### ") for line in written.splitlines() if line.startswith("### ")] == [
        each.call for each in ENTRIES
    ]
