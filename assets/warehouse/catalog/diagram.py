"""The tables and how they derive from each other, as a Mermaid flowchart made from the catalog.

[Entry, …]  ->  nodes, grouped by layer  ->  arrows from the tables that each one reads  ->  mermaid()

The tables of all workflows are alike, so they are one node per kind: `mart_…`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from assets.warehouse.catalog.catalog import Entry

# groups by prefix, in the direction of the data; names without one of the prefixes are analytics views and macros
GROUPS: Mapping[str, tuple[str, ...]] = {
    "NetSuite records as extracted": ("raw_",),
    "typed and renamed": ("stg_",),
    "versions, desired and target state": ("hist_", "mart_", "target_", "selection_"),
    "plans": ("plan_", "candidates_", "tree_"),
    "results": ("sync_", "netsuite_", "lineage_"),
    "analytics": ("",),
}
WORKFLOW_TABLES = ("mart_", "plan_", "target_", "selection_", "candidates_", "tree_", "sync_")
# what the engine reads, for tables that no SQL file defines
ENGINE_READS = {
    "mart_…": ("lineage_columns",),
    "plan_…": ("mart_…", "target_…", "sync_links"),
    **dict.fromkeys(
        ("sync_…", "sync_plans", "sync_runs", "sync_decisions", "sync_attempts", "sync_links"), ("plan_…",)
    ),
    "selection_…": ("sync_import_selection",),
    "candidates_…": ("mart_…", "target_…", "selection_…"),
    "tree_…": ("target_…", "sync_links"),
}


def mermaid(entries: Sequence[Entry]) -> str:
    """Return the flowchart; it depends on the catalog's names and reads only, not on data."""
    workflows = {entry.name.removeprefix("mart_") for entry in entries if entry.name.startswith("mart_")}

    def node_of(name: str) -> str:
        prefix = next((each for each in WORKFLOW_TABLES if name.startswith(each)), "")
        return f"{prefix}…" if prefix and name.removeprefix(prefix) in workflows else name

    tables = Counter(node_of(entry.name) for entry in entries)
    reads = {name: set(ENGINE_READS.get(name, ())) for name in sorted(tables)}
    for entry in entries:
        reads[node_of(entry.name)] |= {node_of(each) for each in entry.reads}
    lines = ["flowchart LR"]
    for number, title in enumerate(GROUPS):
        nodes = [_node(name, tables[name]) for name in reads if _group(name) == title]
        if nodes:
            lines += [f'  subgraph group{number}["{title}"]', *(f"    {node}" for node in nodes), "  end"]
    for name, read in reads.items():
        lines += [f"  {_id(each)} --> {_id(name)}" for each in sorted(read & tables.keys() - {name})]
    return "\n".join(lines) + "\n"


def _group(name: str) -> str:
    return next(title for title, prefixes in GROUPS.items() if name.startswith(prefixes))


def _id(name: str) -> str:
    return name.replace("…", "all")


def _node(name: str, tables: int) -> str:
    return f'{_id(name)}["{name} ({tables} table{"s" if tables > 1 else ""})"]' if name.endswith("…") else name
