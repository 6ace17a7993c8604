"""Ten thousand options within Precoro's limits: four days, two killed runs, and no unnecessary call."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Any
from urllib.parse import parse_qsl

import pytest

from assets.precoro.estimate import seconds_for
from assets.result_texts import duration
from orchestration.configuration.settings import ROOT
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse
from tests.assets.precoro.load_days import DAY_S, records

pytestmark = pytest.mark.long

CUSTOMERS = 4000
OPTIONS = 10_000
# the first run dies after the service created an option, the third before its thirty-first batch is sent
KILLS = ("0:request_served:700", "2:intents_kept:30")
KILLED = -9
PER_PAGE = 200


@dataclass
class Load:
    """The sandbox and the warehouse after the load, how each run ended, and the calls."""

    sandbox: Sandbox
    warehouse: Warehouse
    runs: list[dict[str, Any]]
    log: list[dict[str, Any]]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Run once a day, each run in a separate process, until nothing is left."""
    folder = tmp_path_factory.mktemp("load")
    command = [sys.executable, "-m", "tests.assets.precoro.load_days", str(folder), str(CUSTOMERS), *KILLS]
    subprocess.run(command, cwd=ROOT, check=True)
    sandbox = Sandbox(folder / "sandbox")
    runs = json.loads((folder / "runs.json").read_text())
    return Load(sandbox, Warehouse(folder / "warehouse"), runs, sandbox.precoro.call_log())


def test_all_options_exist_once_below_their_parents(load: Load) -> None:
    """Names, parents and levels are those of NetSuite."""
    tops, below = records(CUSTOMERS)
    rows = load.sandbox.precoro.options()
    keys = {row["option_id"]: row["external_id"] for row in rows}
    expected = {row["customer_id"]: (row["company_name"], None) for row in tops}
    expected |= {
        row["project_id"]: (row["project_name"], row["parent_project_id"] or row["customer_id"]) for row in below
    }

    ours = [row for row in rows if row["external_id"]]

    assert len(expected) == len(ours) == OPTIONS
    assert {row["external_id"]: (row["name"], keys.get(row["parent_id"])) for row in ours} == expected
    assert Counter(row["level"] for row in ours) == {1: 4000, 2: 4000, 3: 2000}


def test_two_runs_were_killed_and_three_were_partial(load: Load) -> None:
    """An exhausted quota is no failure; the next run continues."""
    assert [(run["code"], run["state"]) for run in load.runs] == [
        (KILLED, "sending"),
        (0, "partial"),
        (KILLED, "sending"),
        (0, "partial"),
        (0, "partial"),
        (0, "finished"),
    ]


def test_it_takes_the_estimated_four_days(load: Load) -> None:
    """The plan has the number of calls and days before anything is sent."""
    plans = load.warehouse.read("select calls_needed, seconds_needed from sync_plans order by made_at").rows()
    first, last = load.log[0]["at"], load.log[-1]["at"]

    assert plans[0][0] == OPTIONS
    assert duration(plans[0][1]) == "one run a day for 4 days"
    assert ceil((last - first) / DAY_S) == 4
    assert duration(seconds_for(3000)) != duration(seconds_for(3001)) == "one run a day for 2 days"


def test_no_call_is_rejected_and_no_window_is_exceeded(load: Load) -> None:
    """Per second, minute, hour and day, and per minute for the same GET; counted independently of the sandbox."""
    moments = [call["at"] for call in load.log]
    reads = [(call["url"], call["at"]) for call in load.log if call["method"] == "GET"]
    latest: dict[str, float] = {}

    assert load.sandbox.precoro.rate_limited_calls() == 0
    assert min(later - earlier for earlier, later in pairwise(moments)) >= 1.0
    for calls, seconds in ((60, 60), (1500, 3600), (3000, DAY_S)):
        assert min(later - earlier for earlier, later in zip(moments, moments[calls:], strict=False)) >= seconds
    for url, at in reads:
        assert at - latest.get(url, 0.0) >= 60
        latest[url] = at


def test_it_takes_the_fewest_calls(load: Load) -> None:
    """One call per option, despite two killed runs; each run reads once, the first two also after canary batches."""
    writes = [call for call in load.log if call["method"] != "GET"]
    keys = [dict(parse_qsl(call["body"]))["externalId"] for call in writes]
    reads, existing = 0, 3
    for run, following in pairwise([*load.runs, {"began": load.log[-1]["at"] + 1}]):
        pages = ceil(max(1, existing) / PER_PAGE)
        created = sum(run["began"] <= call["at"] < following["began"] for call in writes)
        checks = [existing + 5, existing + 55] if existing < 1000 else []  # of a workflow without a complete run yet
        reads += 1 + pages + sum(ceil(each / PER_PAGE) for each in checks)
        existing += created

    assert Counter(call["method"] for call in writes) == {"POST": OPTIONS}
    assert len(set(keys)) == OPTIONS
    assert len(load.log) - len(writes) == reads


def test_customers_with_projects_come_first(load: Load) -> None:
    """Customers with projects come before those without, so that the most useful options exist first."""
    keys = [dict(parse_qsl(call["body"]))["externalId"] for call in load.log if call["method"] == "POST"]
    single = [number for number, key in enumerate(keys) if int(key) < 100_000 and int(key) % 2]

    assert single == list(range(OPTIONS - CUSTOMERS // 2, OPTIONS))
