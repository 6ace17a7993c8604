"""A document of a simulation, as `replay.document` returns it."""

from typing import Any


def found(**changes: Any) -> dict[str, Any]:
    """Return what a small simulation found."""
    document = {
        "line": "millpond simulate --days 2 --seed 1 --faults storm --workflows files",
        "seed": 1,
        "faults": "storm",
        "days": 2,
        "nights": 7,
        "violations": 0,
        "records": 14,
        "selected": {"precoro__options": 3},
        "verdicts": [
            {
                "name": "once",
                "text": "No record is twice.",
                "checked": 3,
                "broken": 0,
                "examples": [],
                "evidence": {"x": 3},
            }
        ],
        "done": [{"workflow": "precoro__options", "action": "create", "records": 3}],
        "held_back": [
            {"workflow": "precoro__options", "action": "quarantined", "reason_code": "too_long", "records": 1}
        ],
        "calls": [
            {"system": "netsuite", "calls": 12, "busiest_day": None, "quota": None},
            {"system": "precoro", "calls": 5, "busiest_day": 4, "quota": 3000},
        ],
        "certificates": {"precoro__options": "2026-11-17 06:00:00", "other": None},
        "not_compared": {},
        "events": [
            event(1, "NetSuite", "renamed", "customers 1001"),
            event(1, "run", "precoro__options: create confirmed, 2 records", "customers 1001", "customers 1002"),
            event(2, "weather", "precoro: 1 answers lost after 0 calls"),
            event(2, "target", "precoro: rename Option 1", "customers 1001"),
        ],
        "names": {"customers 1001": "Acme <b>& Co</b>"},
    }
    return {**document, **changes}


def event(day: int, actor: str, text: str, *records: str) -> dict[str, Any]:
    """Return one event."""
    return {"day": day, "at": f"2026-11-{15 + day} 10:42", "actor": actor, "text": text, "records": list(records)}
