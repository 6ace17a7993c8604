"""Whole simulations hold the invariants, are reproducible byte by byte, and touch nothing outside their folder."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from assets.delivery.certificate import certify as certify_module
from assets.delivery.certificate.record_states import RECORDS
from assets.delivery.plan import planner as planner_module
from orchestration.simulation.options import Faults
from orchestration.simulation.rehearse import rehearse
from orchestration.simulation.replay import document, page
from orchestration.simulation.simulation import Simulation
from orchestration.simulation.verdicts import INVARIANTS
from orchestration.simulation.weather import Death
from tests.orchestration.simulation.installation import PRECORO, SUITEPROJECTS, WORKFLOWS, options

# fails if anything connects to another machine, and lists the files that are opened to be written
GUARDED = """
import sys
written = []
def guard(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple) and arguments[1][0] not in ("127.0.0.1", "::1"):
        raise AssertionError(f"connects to {arguments[1]}")
    if event == "open" and isinstance(arguments[0], (str, bytes)) and isinstance(arguments[1], str):
        if set(arguments[1]) & set("wax+"):
            written.append(str(arguments[0]))
sys.addaudithook(guard)
from orchestration.cli.main import main
try:
    main()
finally:
    print("\\n".join(written), file=sys.stderr)
"""


def command(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `millpond simulate` in a process of its own, in an empty folder."""
    (home.parent / "here").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", GUARDED, "simulate", *arguments],
        env={**os.environ, "MILLPOND_HOME": str(home), "POLARS_MAX_THREADS": "1", **environment},
        capture_output=True, check=False, text=True, cwd=home.parent / "here",
    )  # fmt: skip


def test_a_quiet_rehearsal_holds_every_invariant() -> None:
    """People edit, nothing fails: whatever is selected is in the target at the end."""
    result = rehearse(options(PRECORO))

    found = {each.name: each for each in result.verdicts}
    assert list(found) == list(INVARIANTS)
    assert not result.violations
    assert all(found[name].checked for name in INVARIANTS)
    assert found["certificates"].evidence["claims"]


@pytest.mark.long
@pytest.mark.parametrize("only", [PRECORO, SUITEPROJECTS])
def test_a_storm_holds_every_invariant(only: str, counted: Callable[[str, int], None]) -> None:
    """Answers are lost, processes die, quotas end, permissions vanish, and the installation is operated meanwhile."""
    result = rehearse(options(only, days=8, seed=4, faults=Faults.STORM, customers=30))

    counted("simulated days", result.options.days)
    assert not result.violations, [each.examples for each in result.verdicts if each.broken]
    assert {each.actor for each in result.events} >= {"NetSuite", "weather", "run"}
    for text in ("backup of the warehouse was put back", "bound anew", "compacted: ", "real time, "):
        assert any(text in each.text for each in result.events), text


@pytest.mark.long
def test_the_same_seed_gives_the_same_replay_byte_by_byte(tmp_path: Path) -> None:
    """In two processes whose sets have other orders; another seed gives another replay."""
    arguments = ("--days", "4", "--faults", "storm", "--customers", "20", "--only", PRECORO, "--json")
    pages, outputs = [], []
    for number, (order, seed) in enumerate((("1", "5"), ("2", "5"), ("1", "6"))):
        file = tmp_path / f"{number}.html"
        ran = command(tmp_path / "home", *arguments, "--seed", seed, "--html", str(file), PYTHONHASHSEED=order)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        pages.append(file.read_bytes())
        outputs.append({**json.loads(ran.stdout), "messages": []})

    assert pages[0] == pages[1] != pages[2]
    assert outputs[0] == outputs[1] != outputs[2]


@pytest.mark.long
def test_a_killed_process_leaves_what_an_exception_leaves() -> None:
    """SIGKILL and a file, or an exception that no code catches and memory: the same days."""
    given = options(PRECORO, days=6, seed=4, faults=Faults.STORM, customers=20)

    in_memory, killed = rehearse(given), rehearse(replace(given, kills=True))

    assert any(each.text == "the process died" for each in killed.events)
    assert document(in_memory) == document(killed)


@pytest.mark.long
def test_nothing_outside_its_folder_is_touched(tmp_path: Path) -> None:
    """The home, its warehouse, the folder of the workflow files; no connection leaves the machine."""
    home, files = tmp_path / "home", tmp_path / "workflows"
    copytree(WORKFLOWS, files)
    home.mkdir()
    (home / "warehouse").mkdir()
    (home / "warehouse" / "millpond.duckdb").write_bytes(b"mine")
    before = contents(home), contents(files)

    ran = command(home, "--days", "1", "--customers", "10", "--only", PRECORO, "--workflows", str(files))

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (contents(home), contents(files)) == before
    assert not list((tmp_path / "here").iterdir())
    folder = "millpond-simulation-"
    outside = [line for line in ran.stderr.splitlines() if line.startswith("/") and folder not in line]
    assert not [line for line in outside if not line.startswith(("/dev/", "/proc/")) and not line.endswith(".pyc")]


def contents(folder: Path) -> Mapping[str, tuple[bytes, int, int]]:
    """Return every file with its bytes, its time and its mode."""
    files = [each for each in sorted(folder.rglob("*")) if each.is_file()]
    return {str(each): (each.read_bytes(), each.stat().st_mtime_ns, each.stat().st_mode) for each in files}


@pytest.mark.long
def test_two_mappings_are_compared_on_the_same_days(tmp_path: Path) -> None:
    """A shorter name and a narrower selection show up as such, and nothing else does."""
    other = tmp_path / "other"
    copytree(WORKFLOWS, other)
    file = other / PRECORO / "defs.yaml"
    file.write_text(file.read_text().replace("select: {subsidiary: 2}", "select: {subsidiary: 3}"))
    arguments = ("--days", "2", "--customers", "30", "--only", PRECORO, "--json")

    ran = command(tmp_path / "home", *arguments, "--workflows", str(WORKFLOWS), "--compare", str(other))
    same = command(tmp_path / "home", *arguments, "--workflows", str(WORKFLOWS), "--compare", str(WORKFLOWS))

    assert ran.returncode == same.returncode == 0, ran.stdout + ran.stderr
    (differences,) = json.loads(ran.stdout)["differences"]
    (none,) = json.loads(same.stdout)["differences"]
    assert differences["only_here"] > 0
    assert none["only_here"] == none["only_there"] == 0
    assert not none["fields"]
    assert none["alike"] > differences["alike"]


@pytest.mark.long
def test_the_page_has_every_event() -> None:
    """A replay that leaves something out explains nothing."""
    result = rehearse(options(PRECORO, days=2, faults=Faults.STORM, customers=20))

    html = page(document(result))

    assert html.count("<li>") >= len(result.events)


@pytest.mark.long
def test_a_simulation_finds_a_certificate_that_takes_every_record_for_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulation that accepts everything would always pass."""
    truth = certify_module.make_record_states

    def optimistic(con: object, *values: object) -> None:
        truth(con, *values)  # type: ignore[arg-type]
        con.execute(f"update {RECORDS} set kind = 'verified'")  # type: ignore[attr-defined]

    monkeypatch.setattr(certify_module, "make_record_states", optimistic)

    result = rehearse(options(SUITEPROJECTS, days=3, customers=30))

    assert {each.name for each in result.verdicts if each.broken} == {"certificates"}


@pytest.mark.long
def test_a_simulation_finds_an_engine_that_forgets_what_a_dead_process_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the read-back of open intents, no one knows what became of a create that was being sent."""
    monkeypatch.setattr(planner_module, "resolve_intents", lambda _run: None)
    simulation = Simulation(options(PRECORO, customers=30), tmp_path)

    def dies(_night: int) -> None:
        simulation.weather.death = Death("answers_read", 0)

    monkeypatch.setattr(simulation.weather, "before", dies)

    result = simulation.run()

    assert "intents" in {each.name for each in result.verdicts if each.broken}
