"""`millpond …` as a person types it: in processes of their own, with output into a pipe."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestration.cli.main import app
from orchestration.settings import ROOT
from resources.sandbox.generator.seed import seed
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import BASE_URLS
from tests.orchestration.conftest import Home, at_home

MILLPOND = [sys.executable, "-c", "from orchestration.cli.main import main; main()"]
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What was printed, without the blanks at the ends."""
        return [line.rstrip() for line in self.out.splitlines()]

    def row(self, name: str) -> list[str]:
        """The cells of a printed table's row."""
        rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in self.lines if line.startswith("│")]
        return next(row[1:] for row in rows if row[0] == name)


def call(command: Sequence[str], folder: Path, **variables: str) -> Said:
    """Run a command to its end, from another folder than the project's."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MILLPOND_HOME": str(folder), **variables}
    for name in ("MILLPOND_WORKFLOWS", "DAGSTER_HOME", "CI"):
        environment.pop(name, None)
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    return Said(done.returncode, done.stdout, done.stderr)


def millpond(folder: Path, *words: str, **variables: str) -> Said:
    """`millpond …` in a process of its own."""
    return call([*MILLPOND, *words], folder, **variables)


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> Said:
    """A command in this process, which is quicker; what it sets in the environment is undone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        patch.setenv("MILLPOND_HOME", os.environ["MILLPOND_HOME"])
        patch.setenv("DEMO_UI", "0")
        with pytest.raises(SystemExit) as ended:
            app(list(words))
    printed = capsys.readouterr()
    return Said(int(str(ended.value.code)), printed.out, printed.err)


@dataclass
class Told:
    """A home after `demo`, a day, `plan all` and `run all`, with what each of them printed."""

    home: Home
    demo: Said
    tried: dict[str, Said]
    plan: Said
    writes: dict[str, tuple[int, int]]
    run: Said


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The demo on a fresh folder, then what it says to try, then a plan and a run."""
    folder = tmp_path_factory.mktemp("home")
    demo = millpond(folder, "demo", "--customers", "200", DEMO_UI="0", MILLPOND_HOME=str(folder / "demo"))
    tried = {command: call(_typed(command), folder) for command in _proposed(demo)}
    with at_home(folder / "demo") as home:
        _rename_too_long(home)
        writes = {"before": _writes(home)}
        plan = millpond(home.folder, "plan", "all")
        writes["planned"] = _writes(home)
        run = millpond(home.folder, "run", "all")
        writes["run"] = _writes(home)
        yield Told(home, demo, tried, plan, writes, run)


def _rename_too_long(home: Home) -> None:
    """One customer's new name is longer than what Precoro's workflow lets through."""
    linked = home.warehouse.read(
        "select min(source_id) as source_id from sync_links"
        " where workflow = 'precoro__options' and source = 'customers'"
    )
    home.sandbox.netsuite.update("customer", int(linked["source_id"][0]), companyname="x" * 84)


def _writes(home: Home) -> tuple[int, int]:
    return home.sandbox.suiteprojects.write_calls(), home.sandbox.precoro.write_calls()


def _proposed(demo: Said) -> list[str]:
    """The commands under "Three things to try next"."""
    after = demo.lines[demo.lines.index("Three things to try next:") + 1 :]
    return [line.strip() for line in after if line.startswith("    ")][:3]


def _typed(command: str) -> list[str]:
    """A proposed command as the shell would run it; `millpond` by its module, for it need not be installed here."""
    words = shlex.split(command)
    at = next((n for n, word in enumerate(words) if word.endswith("/millpond")), None)
    return words if at is None else ["/usr/bin/env", *words[:at], *MILLPOND, *words[at + 1 :]]


def test_help_is_quick() -> None:
    """Dagster, Polars and DuckDB take more than a second to load; `--help` and a typing mistake need none of them."""
    code = (
        "import sys; from orchestration.cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print('loaded:', sorted({'dagster', 'polars', 'duckdb', 'httpx', 'lxml'} & set(sys.modules)))"
    )

    said = call([sys.executable, "-c", code], ROOT)

    assert said.lines[-1] == "loaded: []", said.err
    for command in ("demo", "explain", "plan", "run", "sandbox", "ui", "validate"):
        assert f"│ {command} " in said.out


def test_the_demo_fills_runs_and_says_what_to_try(told: Told) -> None:
    """Within a minute a stranger has something to look at; under DEMO_UI=0 the UI's command is named, not started."""
    assert told.demo.code == 0, told.demo.err
    assert told.demo.lines[0].startswith("filling the sandbox's NetSuite with 200 entities (")
    assert max(int(cell) for cell in told.demo.row("created") if cell != "·") > 50
    assert len(_proposed(told.demo)) == 3
    assert told.demo.lines[-1].endswith("/millpond ui")


def test_what_the_demo_says_to_try_works(told: Told) -> None:
    """Copied as they stand: no explanation on the same line, nothing that is not installed."""
    story, day, query = told.tried.values()

    assert [each.code for each in told.tried.values()] == [0, 0, 0], [each.err for each in told.tried.values()]
    assert re.match(r"customers \d+  \S", story.lines[0])
    assert "decided" in story.out
    assert re.match(r"\s*\d+ events", day.lines[0])
    assert re.search(r"suiteprojects__customers\s*│.*│\s*\d+ │", query.out)


def test_a_plan_sends_nothing_and_counts_by_action_and_reason(told: Told) -> None:
    """What would be done can be read before it is done, value by value."""
    assert told.plan.code == 0, told.plan.err
    assert told.writes["planned"] == told.writes["before"]
    assert re.search(r"run [0-9a-f]{8}: planned, nothing was sent", told.plan.out)
    assert set(told.plan.row("state")) == {"planned"}
    assert set(told.plan.row("create")) != {"·"}
    for workflow in ("suiteprojects__customers", "precoro__options"):
        assert re.search(rf"^plan [0-9a-f]+ of {workflow}\s*$", told.plan.out, re.MULTILINE)
    assert re.search(r"│ unchanged\s+│ identical\s+│\s+\d+ *│", told.plan.out)
    assert re.search(r"^(customers|projects) \d+: (update|deactivate|quarantined), ", told.plan.out, re.MULTILINE)
    assert re.search(r"^    \w+: .* → ", told.plan.out, re.MULTILINE)


def test_a_run_prints_what_it_did(told: Told) -> None:
    """One column per workflow; what was planned is what was done."""
    assert told.run.code == 0, told.run.err
    assert set(told.run.row("state")) == {"finished"}
    for planned, done in (("create", "created"), ("update", "updated"), ("deactivate", "deactivated")):
        assert sorted(told.run.row(done)) == sorted(told.plan.row(planned))  # they begin in another order
    assert all(int(cell) > 0 for cell in told.run.row("calls"))
    assert all(float(cell) >= 0 for cell in told.run.row("seconds"))
    assert told.writes["run"] > told.writes["planned"]


def test_a_run_names_the_accounts_that_it_wrote_to(told: Told) -> None:
    """Who has a test account beside the real one sees which it was."""
    named = dict(re.findall(r"^account (\S+): ([\w, ]+)$", told.run.out, re.MULTILINE))

    assert set(named) == {BASE_URLS["suiteprojects"], BASE_URLS["precoro"]}
    assert "suiteprojects__customers" in named[BASE_URLS["suiteprojects"]]
    assert named[BASE_URLS["precoro"]].strip() == "precoro__options"


def test_a_run_names_the_records_that_need_a_person(told: Told) -> None:
    """A count of quarantined records helps nobody who does not know which."""
    held = told.home.warehouse.read(
        "select source, source_id, action from sync_decisions where to_run is null"
        " and action in ('quarantined', 'ambiguous', 'failed')"
    )

    assert held.height
    for source, source_id, action in held.iter_rows():
        assert f"  {source} {source_id}: {action}, " in told.run.out


def test_piped_output_is_plain(told: Told) -> None:
    """No progress bar, no colours, no line broken in the middle: it goes into files, mails and other programs."""
    for said in (told.demo, told.plan, told.run, *told.tried.values()):
        assert CONTROL.search(said.out) is None
    for said in (told.demo, told.plan, told.run):
        assert said.err == ""
    assert "Working" not in told.run.out


@pytest.mark.usefixtures("told")
def test_an_unknown_group_is_answered_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, as for every mistake in typing."""
    on = ("contacts", "customer_department", "customers", "projects")
    groups = ("all", "customers", "precoro__options", "precoro_update", "suiteprojects")
    known = [*groups, *(f"suiteprojects__{name}" for name in on)]
    for command in ("run", "plan"):
        said = ask(capsys, command, "nonsense")
        assert (said.code, said.lines) == (
            2,
            [f"no group nonsense; there are {', '.join(known)}"],
        )  # fmt: skip


def test_a_record_is_found_by_id_number_name_and_target_id(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a person has in hand leads to the same story, which says as of when it is told."""
    links = told.home.warehouse.read(
        "select c.customer_id, c.entity_number, c.company_name, l.target_id from stg_netsuite__customers c"
        " join sync_links l on l.source = 'customers' and l.source_id = c.customer_id"
        " where l.workflow = 'suiteprojects__customers' and c.company_name is not null"
        " and l.target_id not in (select customer_id from stg_netsuite__customers)"
        " and l.target_id not in (select target_id from sync_links where workflow <> l.workflow)"
        " qualify count(*) over (partition by lower(c.company_name)) = 1"
        " and count(*) over (partition by l.target_id) = 1"
        " order by try_cast(c.customer_id as bigint) limit 1"
    )
    source_id, number, name, target_id = links.row(0)
    stories = [ask(capsys, "explain", text) for text in (source_id, number, name.upper(), target_id)]

    assert [story.code for story in stories] == [0, 0, 0, 0]
    assert len({story.out for story in stories}) == 1
    story = stories[0]
    assert story.lines[0] == f"customers {source_id}  {name}"
    assert f"│   ├── NetSuite id: {source_id}" in story.lines
    assert re.search(r"seen in NetSuite, as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", story.out)
    assert re.search(r"suiteprojects__customers, as of .* UTC \(run [0-9a-f]{8}: finished\)", story.out)
    assert f"target id: {target_id} (created by a run)" in story.out
    assert "the target confirmed it" in story.out


def test_an_ambiguous_name_is_answered_with_a_list(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """Two companies of one name are two stories; the list has the ids to choose by."""
    with told.home.warehouse.writer() as con:
        con.execute(
            "update stg_netsuite__customers set company_name = 'Twice & Co [x]'"
            " where customer_id in (select customer_id from stg_netsuite__customers order by customer_id limit 2)"
        )
        ids = [row[0] for row in con.execute(
            "select customer_id from stg_netsuite__customers where company_name = 'Twice & Co [x]' order by 1"
        ).fetchall()]  # fmt: skip

    said = ask(capsys, "explain", "twice & co [X]")

    assert said.code == 1
    assert said.lines[0] == "several records are meant; give the NetSuite id:"
    assert [line.split()[0] for line in said.lines[1:]] == ids
    assert all("Twice & Co [x]" in line for line in said.lines[1:])


@pytest.mark.usefixtures("told")
def test_an_unknown_record_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A script that asks for a record sees that there is none."""
    said = ask(capsys, "explain", "[no] such one")

    assert said.code == 1
    assert said.lines == [
        "no record has the NetSuite id, number, name or target id '[no] such one', as of the last run"
    ]


def test_before_the_first_run_there_is_nothing_to_explain(
    home: Home, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """What to do instead is said."""
    said = ask(capsys, "explain", "1")

    assert home.folder != told.home.folder
    assert (said.code, said.lines) == (2, ["nothing has been read yet: `millpond run all` first"])


def test_validate_names_what_is_right_and_what_is_wrong(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """File, line and field of a mistake; exit code 1, so that a pipeline stops."""
    good = millpond(told.home.folder, "validate")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "defs.yaml").write_text(
        "type: assets.delivery.component.component.SyncWorkflow\n"
        "attributes:\n  target: suiteprojects.Customer\n  sauce: customers\n"
    )
    bad = ask(capsys, "validate", str(tmp_path))

    assert good.code == 0
    assert len(good.lines) == len(list((ROOT / "orchestration" / "workflows").glob("*/defs.yaml")))
    assert all(line.startswith("✓ ") for line in good.lines)
    assert bad.code == 1
    assert re.search(r"mine/defs.yaml:4: sauce: no such key here; check its spelling", bad.out)


def test_a_demo_that_fails_says_why_and_proposes_nothing(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The words of what failed, not a traceback; and a sandbox that is filled already is not filled again."""
    seed(home.sandbox, customers=10, companies=None, seed=1)
    home.sandbox.switches.set("netsuite", NetSuiteSwitches, hidden_tables=["customer"])

    said = ask(capsys, "demo", "--customers", "5")

    assert said.code == 1
    assert said.lines[0].endswith("is filled already; going on with it")
    assert any(line.startswith("✗ raw_netsuite__customers: netsuite: ") for line in said.lines)
    assert "Three things" not in said.out
    assert "Traceback" not in said.out + said.err
