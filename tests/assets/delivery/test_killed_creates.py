"""Real kills while creates wait for their second call: every option exists once, with its key, after the next run."""

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.killed_creates import OURS
from tests.assets.delivery.killed_runs import opened

ROOT = Path(__file__).parents[3]
REQUESTS = 14  # of the run, at least: fields, listing, POST and PATCH of six options
FEW = ["request_begins:3", "request_served:2,request_served:3"]
EVERY = [
    *(f"{name}:{skip}" for name in ("request_begins", "request_served") for skip in range(REQUESTS)),
    *(f"{name}:{skip}" for name in ("intents_begin", "intents_kept", "answers_read") for skip in range(4)),
    "answers_kept:0", "bookkeeping_begins:0", "bookkeeping_open:0",
]  # fmt: skip


def in_a_row(seed: int) -> str:
    """Return two or three kills at random: the later ones interrupt the recovery."""
    dice = Random(seed)
    points = ["request_begins", "request_served", "request_served", "intents_kept", "answers_read", "answers_kept"]
    kills = [(dice.choice(points), dice.randint(0, 9)) for _ in range(dice.randint(2, 3))]
    most = {"request_begins": 10, "request_served": 10, "answers_kept": 1}  # passes of a point in a run
    return ",".join(f"{point}:{skip % most.get(point, 3)}" for point, skip in kills)


SEVERAL = sorted({in_a_row(seed) for seed in range(30)})


@pytest.fixture
def home(homes: Path, tmp_path: Path, kills: str) -> Path:
    """A copy of the folder of these kills."""
    return Path(shutil.copytree(homes / kills, tmp_path / "home"))


@pytest.fixture(scope="module")
def homes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder per case of this session, as the killed runs left it."""
    cases = {
        str(item.callspec.params["kills"])  # type: ignore[attr-defined]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    }
    folder = tmp_path_factory.mktemp("killed_creates")
    command = [sys.executable, "-m", "tests.assets.delivery.killed_creates", str(folder), *sorted(cases)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.long
@pytest.mark.parametrize(
    "kills", [*FEW, *(pytest.param(each, marks=pytest.mark.long) for each in [*EVERY, *SEVERAL] if each not in FEW)]
)
def test_every_option_exists_once_after_the_next_run(home: Path, kills: str) -> None:
    """Whatever was served before the kill; no option without a key is left, and one more run writes nothing."""
    codes = [(home / f"exit_code_{number}").read_text() for number in range(kills.count(",") + 1)]
    assert codes[0] == "-9"
    assert set(codes) <= {"-9", "0"}  # nothing may be left to kill
    sandbox = Sandbox(home / "sandbox")

    with opened(home, "precoro") as runner:
        decisions = runner.run()
        assert "ambiguous" not in {action for action, _ in decisions.values()}
    check(sandbox)
    with opened(home, "precoro") as runner:
        runner.runs = iter([7])
        assert {action for action, _ in runner.run().values()} == {"unchanged"}
        left = "select 1 from sync_attempts group by attempt_id having bool_and(state in ('intent', 'unknown'))"
        assert runner.warehouse.read(left).is_empty()


@pytest.mark.parametrize("kills", ["request_served:2", pytest.param("request_served:7", marks=pytest.mark.long)])
def test_a_listing_that_lacks_the_new_option_is_not_believed(home: Path) -> None:
    """The next process starts at once, and the service shows a new option a minute later."""
    sandbox = Sandbox(home / "sandbox")
    sandbox.switches.set("precoro", PrecoroSwitches, post_external_id="ignore", listing_delay_s=55)

    with opened(home, "precoro") as runner:
        runner.run()
    with opened(home, "precoro") as runner:
        runner.runs = iter([7])
        runner.run()

    check(sandbox)


def check(sandbox: Sandbox) -> None:
    """Check that the options are ours, once each, and those that were there before."""
    options = sandbox.precoro.options()
    keys = {option["option_id"]: option["external_id"] for option in options}
    ours = [
        (key, option["name"], keys.get(option["parent_id"])) for option in options if (key := option["external_id"])
    ]
    assert Counter(ours) == Counter((key, *place) for key, place in OURS.items())
    assert len(options) == len(ours) + 3
