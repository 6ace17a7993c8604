"""The layers of tables and how they derive from each other, as a Mermaid flowchart made from the catalog.

[Entry, …]  ->  a node per layer  ->  an arrow from each layer of which it reads tables  ->  mermaid()

With a node per table a screen shows a tenth of it; what a table reads is listed with the table.
"""

from collections import Counter
from collections.abc import Sequence

from assets.result_texts import counted
from assets.warehouse.catalog.catalog import LAYERS, Entry

ANALYTICS = ""
# what the engine reads, for tables that no SQL file defines
ENGINE_READS = {
    "hist_": ("mart_", "target_"),
    "mart_": ("sync_",),
    "plan_": ("mart_", "target_", "sync_"),
    "sync_": ("plan_",),
    "selection_": ("sync_",),
    "candidates_": ("mart_", "target_", "selection_"),
    "tree_": ("target_", "sync_"),
}


def mermaid(entries: Sequence[Entry]) -> str:
    """Return the flowchart; it depends on the catalog's names and reads only, not on data."""
    layers = {entry.name: ANALYTICS if entry.kind != "table" else entry.layer for entry in entries}
    counts = Counter(layers.values())
    shown = [each for each in LAYERS if counts[each]]
    reads = {layer: set(ENGINE_READS.get(layer, ())) for layer in shown}
    for entry in entries:
        reads[layers[entry.name]] |= {layers[each] for each in entry.reads if each in layers}
    nodes = (f'  {_id(layer)}["{LAYERS[layer]}<br>{_contents(layer, counts[layer])}"]' for layer in shown)
    lines = ["flowchart LR", *nodes]
    for layer in shown:
        lines += [f"  {_id(each)} --> {_id(layer)}" for each in shown if each in reads[layer] - {layer}]
    return "\n".join(lines) + "\n"


def _id(layer: str) -> str:
    return f"{layer or 'analytics_'}all"


def _contents(layer: str, count: int) -> str:
    return f"{layer}… ({counted(count, 'tables')})" if layer else f"{count} tables and views"
