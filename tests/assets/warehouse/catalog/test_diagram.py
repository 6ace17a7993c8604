"""The diagram of the tables shows each layer, and each arrow stands for a layer of which a table is read."""

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
    Entry("target_links", "view", "target_links", "Addresses", ("sync_links",)),
    Entry("question", "view", "question", "Analytics", ("sync_links", "stg_netsuite__records", "missing_table")),
]
# every line that Mermaid has to understand: header, node, arrow
LINE = re.compile(r'flowchart LR|  \w+\["[^"]+"\]|  \w+ --> \w+')
RESERVED = {"end", "default", "graph", "flowchart", "subgraph", "style", "class", "click", "linkStyle"}
MOST_NODES = 12  # on a screen of 1,280 pixels their texts can be read


def nodes(diagram: str) -> dict[str, str]:
    """Return the nodes of a diagram: label by id."""
    return dict(re.findall(r'^  (\w+)\["([^"]+)"\]$', diagram, re.MULTILINE))


def arrows(diagram: str) -> list[tuple[str, str]]:
    """Return the arrows of a diagram: from a layer to the layer that reads it."""
    return re.findall(r"^  (\w+) --> (\w+)$", diagram, re.MULTILINE)


def test_each_layer_is_a_node() -> None:
    """Its label has the title of the page's section and the number of its tables; views are for analysts."""
    assert nodes(mermaid(ENTRIES)) == {
        "raw_all": "NetSuite records as extracted<br>raw_… (1 table)",
        "stg_all": "Typed and renamed records<br>stg_… (1 table)",
        "mart_all": "Desired target records<br>mart_… (2 tables)",
        "target_all": "Target state<br>target_… (1 table)",
        "plan_all": "Plans<br>plan_… (1 table)",
        "sync_all": "Decisions and results<br>sync_… (2 tables)",
        "analytics_all": "Analytics and lineage<br>2 tables and views",
    }


def test_each_arrow_is_a_layer_that_is_read() -> None:
    """SQL headers and the engine list the reads; tables that do not exist have no arrow."""
    layers = ("raw", "stg", "mart", "target", "plan", "sync")
    engine = {(f"{read}all", f"{name}all") for name, reads in ENGINE_READS.items() for read in reads}
    expected = {each for each in engine if {name.removesuffix("_all") for name in each} <= set(layers)}
    expected |= {("raw_all", "stg_all"), ("stg_all", "mart_all"), ("sync_all", "analytics_all")}
    expected |= {("stg_all", "analytics_all")}

    assert sorted(arrows(mermaid(ENTRIES))) == sorted(expected)


def test_the_diagram_does_not_depend_on_row_counts() -> None:
    """The page in the project does not change with the data."""
    assert mermaid(ENTRIES) == mermaid([replace(each, rows=99) for each in ENTRIES])


def test_the_diagram_is_valid_mermaid() -> None:
    """Each line has one of the forms that Mermaid's flowchart grammar allows."""
    diagram = mermaid(ENTRIES)
    lines = diagram.splitlines()

    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert not RESERVED & nodes(diagram).keys()
    assert {name for arrow in arrows(diagram) for name in arrow} <= nodes(diagram).keys()
    assert len(nodes(diagram)) <= MOST_NODES


def test_the_page_contains_the_diagram_and_each_table() -> None:
    """GitHub and the documentation site render the fenced block."""
    diagram = mermaid(ENTRIES)
    written = page(ENTRIES, diagram)

    assert f"```mermaid\n{diagram}```\n" in written
    assert [line.removeprefix("### ") for line in written.splitlines() if line.startswith("### ")] == [
        each.call for each in ENTRIES
    ]
