"""Random accounts beside a connector with random faults: each difference has its planted cause, or none."""

from pathlib import Path
from random import Random

import pytest

from assets.suiteprojects.target import SuiteProjectsTarget
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.run_workflow import WorkflowRunner
from tests.assets.delivery.shadow.connector import Connector, Row, connector, mapped

NOT_THERE = "(not in the target)"
RECORDS = 60
TIMING, ERROR, EDITED, MAPPING, FILTER, UNKNOWN = (
    "timing", "incumbent_error", "edited", "mapping_row", "filter", "unknown",
)  # fmt: skip
Truth = dict[tuple[str, str], str]


class Faults:
    """A connector's faults, drawn from a seed, and the cause of each difference that they make."""

    def __init__(self, seed: int) -> None:
        self.draw = Random(seed)
        keys = [str(number) for number in range(1, RECORDS + 1)]
        self.draw.shuffle(keys)
        self.garbled, self.edited, self.stale, self.late, self.never, self.gone, self.other = (
            {keys.pop() for _ in range(self.draw.randint(0, 3))} for _ in range(7)
        )
        self.unselected = {keys.pop() for _ in range(self.draw.choice([0, 3, 5]))}
        self.moved = {keys.pop() for _ in range(self.draw.choice([0, 4, 9]))}
        self.style = self.draw.choice(["none", "upper web", "no email"])
        self.hours = self.draw.choice([2, 6, 11])

    def fill(self, made: Connector) -> None:
        """Create NetSuite's customers."""
        for number in range(1, RECORDS + 1):
            key = str(number)
            values = {"company_name": f"Åkeri Söder {key} & Co", "email": f"mail{key}@example.test"}
            values["category"] = "internal" if key in self.unselected else f"c{number % 3}"
            if key in self.moved:
                values["shipping_state"] = f"X{number % 4}"
            made.add(key, **values)

    def maps(self, row: Row) -> dict[str, str]:
        """Return what the connector writes."""
        values, key = mapped(row), row["customer_id"]
        values["addr_state"] = row["shipping_state"]
        if key in self.garbled:
            values["company"] = values["company"].encode().decode("latin-1")
        if key in self.other:
            values["addr_email"] = f"typed{key}@elsewhere.test"
        if self.style == "upper web":
            values["web"] = values["web"].upper()
        if self.style == "no email":
            values.pop("addr_email")
        return values

    def selects(self, row: Row) -> bool:
        """Return whether the connector brings a record."""
        return row["category"] != "internal" and row["customer_id"] not in self.never

    def truth(self, made: Connector) -> Truth:
        """Return the planted cause of each difference."""
        known = {(key, "addr_state"): MAPPING for key in self.moved}
        known |= {(key, "company"): ERROR for key in self.garbled}
        known |= {(key, "company"): EDITED for key in self.edited}
        known |= {(key, "addr_city"): ERROR for key in self.stale}
        known |= {(key, "addr_city"): TIMING for key in self.late}
        known |= {(key, NOT_THERE): UNKNOWN for key in self.never}
        known |= {(key, NOT_THERE): EDITED for key in self.gone}
        known |= {(key, NOT_THERE): FILTER for key in self.unselected}
        if self.style == "upper web":
            known |= {(key, "web"): MAPPING for key in made.there if key not in self.gone}
        if self.style == "no email":
            known |= {(key, "addr_email"): MAPPING for key in made.there if key not in self.gone}
        else:
            known |= {(key, "addr_email"): UNKNOWN for key in self.other}
        return known


def play(made: Connector, faults: Faults) -> None:
    """Play three nights."""
    faults.fill(made)
    made.wait(24)
    made.bring()
    made.begin()
    made.night()
    free = [key for key in made.there if key not in faults.stale | faults.late | faults.edited | faults.gone]
    for key in faults.draw.sample(free, 3):
        made.save(key, city=f"Moved {key}")
    for key in faults.stale:
        made.save(key, city=f"Never brought {key}")
    made.wait(faults.hours)
    made.bring(*faults.stale)
    made.night()
    made.wait(24 - faults.hours)
    for key in faults.draw.sample(free, 2):
        made.save(key, city=f"Moved again {key}")
    made.wait(faults.draw.choice([0.5, 3]))
    made.bring(*faults.stale)
    made.wait(faults.draw.choice([0, 1, 5]))
    for key in faults.edited:
        made.edit(key, company=f"Typed by a person {key}")
    for key in faults.gone:
        made.sandbox.suiteprojects.delete("Customer", made.there[key])
    for key in faults.late:
        made.save(key, city=f"Lately {key}")
        made.wait(faults.draw.choice([0, 2]))
    made.night()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8))
def test_no_cause_is_claimed_that_was_not_planted(tmp_path: Path, seed: int) -> None:
    """Unknown is always allowed; and most causes are found."""
    sandbox, faults = Sandbox(tmp_path / "sandbox"), Faults(seed)
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        runner = WorkflowRunner(Warehouse(tmp_path / "w"), SuiteProjectsTarget(client, "Customer"), sandbox.clock)
        made = connector(runner, sandbox, maps=faults.maps, selects=faults.selects)
        play(made, faults)
        found, truth = {key: cause for key, (cause, _) in made.causes().items()}, faults.truth(made)

    assert found.keys() == truth.keys()
    wrong = {key: (found[key], truth[key]) for key in found if found[key] not in {truth[key], UNKNOWN}}
    assert wrong == {}
    missed = {key: truth[key] for key in found if found[key] != truth[key]}
    assert len(missed) <= len(found) // 10, missed
