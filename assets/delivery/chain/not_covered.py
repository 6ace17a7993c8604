"""The tables of the ledger that the chain does not cover, each with the reason why a change there does no harm.

A table of the ledger is covered row by row (`covered.KINDS`), compared with the recorded decisions (`mirrors.MIRRORS`),
the chain itself, or here.
"""

from collections.abc import Mapping
from typing import Final

NOT_COVERED: Final[Mapping[str, str]] = {
    "sync_runs": "counts of runs, which the attempts and decisions that are covered add up to",
    "sync_links": "each run compares them with the target's own keys; what was sent by them is an attempt",
    "sync_undo_holds": "follow from an undo, an event with attempts; a record without its hold is planned anew",
    "sync_normalizations": "counts of what targets change in values; nothing is decided by them",
    "sync_record_urls": "addresses of the target's pages, for people",
    "lineage_columns": "made anew from the workflow files",
    "netsuite_reads": "what was read of NetSuite, which can be read again; `millpond certificate verify` does",
    "sync_inputs": "which version of its inputs a table was made from; made anew with the table",
    "sync_restores": "each is an event too; the checkpoint beside the warehouse's file says when one is missing",
    "sync_certificates": "`millpond certificate verify` compares them with both sides, without the ledger",
    "sync_unverified": "made anew with each certificate",
    "sync_readings": "the index of versions; versions are copies of NetSuite's, ours and the target's records",
    "sync_shadow_nights": "comparisons, made anew each night; nothing is sent by them",
    "sync_shadow_records": "comparisons, as above",
    "sync_shadow_differences": "comparisons, as above; what a person accepted is an event",
    "sync_forgotten": "each is an event as well",
}
