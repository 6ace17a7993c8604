"""The command line as a person uses it: in its own processes, with output into a pipe."""

import os
import re
import shlex
import subprocess
import sys
from ast import literal_eval
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from orchestration.cli.main import COMMANDS, app
from orchestration.configuration.settings import ROOT
from resources.sandbox.generator.seed import seed
from resources.sandbox.netsuite.switches import NetSuiteSwitches
from resources.sandbox.sandbox import BASE_URLS
from tests.orchestration.conftest import Home, at_home

MILLPOND = [sys.executable, "-c", "from orchestration.cli.main import main; main()"]
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass
class Output:
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The printed lines, without trailing blanks."""
        return [line.rstrip() for line in self.out.splitlines()]

    @property
    def workflows(self) -> list[tuple[str, str, str]]:
        """State, calls and seconds of each workflow in the summary."""
        return re.findall(r"^\w+__\w+ +(\w+) .* (\d[\d,]*) +([\d.]+|·)$", "\n".join(self.lines), re.MULTILINE)

    def counts(self, word: str) -> list[int]:
        """The records of each workflow in the summary with some of them, such as `1,205 created`."""
        return [int(count.replace(",", "")) for count in re.findall(rf"([\d,]+) {word}\b", self.out)]


def call(command: Sequence[str], folder: Path, **variables: str) -> Output:
    """Run a command to its end, in another folder than the project's."""
    own = {"MILLPOND_WORKFLOWS", "DAGSTER_HOME", "CI"}
    inherited = {name: value for name, value in os.environ.items() if name not in own}
    environment = {**inherited, "PYTHONPATH": str(ROOT), "MILLPOND_HOME": str(folder), **variables}
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding=encoding, timeout=300, check=False
    )
    return Output(done.returncode, done.stdout, done.stderr)


def millpond(folder: Path, *arguments: str, **variables: str) -> Output:
    """Run `millpond …` in its own process."""
    return call([*MILLPOND, *arguments], folder, **variables)


def run_command(capsys: pytest.CaptureFixture[str], *arguments: str) -> Output:
    """Run a command in this process, which is faster, and restore the environment afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        patch.setenv("MILLPOND_HOME", os.environ["MILLPOND_HOME"])
        patch.setenv("DEMO_UI", "0")
        with pytest.raises(SystemExit) as ended:
            app(list(arguments))
    printed = capsys.readouterr()
    return Output(int(str(ended.value.code or 0)), printed.out, printed.err)


@dataclass
class Tour:
    """A home after `demo`, its suggestions, `plan all` and `run all`, with their output."""

    home: Home
    demo: Output
    suggestions: dict[str, Output]
    plan: Output
    writes: dict[str, tuple[int, int]]
    run: Output


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    """The demo in a new folder, then its suggestions, then a plan and a run."""
    folder = tmp_path_factory.mktemp("home")
    demo = millpond(folder, "demo", "--customers", "200", DEMO_UI="0", MILLPOND_HOME=str(folder / "demo"))
    suggestions = {command: call(_as_typed(command), folder) for command in _suggestions(demo)}
    with at_home(folder / "demo") as home:
        _rename_too_long(home)
        writes = {"before": _writes(home)}
        plan = millpond(home.folder, "plan", "all")
        writes["planned"] = _writes(home)
        run = millpond(home.folder, "run", "all")
        writes["run"] = _writes(home)
        yield Tour(home, demo, suggestions, plan, writes, run)


def _rename_too_long(home: Home) -> None:
    """Give a customer a name that is longer than Precoro's workflow allows."""
    linked = home.warehouse.read(
        "select min(source_id) as source_id from sync_links"
        " where workflow = 'precoro__options' and source = 'customers'"
    )
    home.sandbox.netsuite.update("customer", int(linked["source_id"][0]), companyname="x" * 84)


def _writes(home: Home) -> tuple[int, int]:
    return home.sandbox.suiteprojects.write_calls(), home.sandbox.precoro.write_calls()


def _suggestions(demo: Output) -> list[str]:
    """The commands below "Three things to try next"."""
    after = demo.lines[demo.lines.index("Three things to try next:") + 1 :]
    return [line.strip() for line in after if line.startswith("    ")][:3]


def _as_typed(command: str) -> list[str]:
    """A suggested command as a shell would run it, with `millpond` by its module: it may not be installed here."""
    words = shlex.split(command)
    at = next((n for n, word in enumerate(words) if word.endswith("/millpond")), None)
    return words if at is None else ["/usr/bin/env", *words[:at], *MILLPOND, *words[at + 1 :]]


def test_help_is_fast() -> None:
    """Dagster, Polars and DuckDB take over a second to load; `--help` and a typing error need none of them."""
    for arguments, listed in (
        (["--help"], ("demo", "explain", "plan", "run", "sandbox", "ui", "validate")),
        (["x"], ()),
    ):
        code = (
            "import sys; from orchestration.cli.main import app\n"
            f"try: app({arguments})\n"
            "except SystemExit: pass\n"
            "print('loaded:', sorted({'dagster', 'polars', 'duckdb', 'httpx', 'lxml'} & set(sys.modules)))"
        )

        output = call([sys.executable, "-c", code], ROOT)

        assert output.lines[-1] == "loaded: []", output.err
        for command in listed:
            assert f"│ {command} " in output.out


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (("compact", "--keep-days", "-1"), "It is below 0"),  # it deleted all of the history
        (("plans", "x", "--limit", "-1"), "It is below 0"),
        (("sandbox", "day", "--days", "-1"), "It is below 0"),
        (("apply", "x", "--empty-only"), "Unknown option"),  # it would have sent the whole plan
        (("user", "add", "ada", "--role", "viewer", "--no-no-password"), "Unknown option"),
    ],
)
@pytest.mark.usefixtures("home")
def test_an_option_that_no_one_can_mean_is_refused(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...], text: str
) -> None:
    """For every command, also those of a group."""
    output = run_command(capsys, *command)

    assert output.code == 2
    assert text in f"{output.out}{output.err}"


# installed packages that commands may load; Dagster and what comes with it take seconds
OF_SETTINGS = {
    "annotated_types", "attr", "attrs", "cyclopts", "dotenv", "pydantic", "pydantic_core", "pydantic_settings", "rich",
    "typing_extensions", "typing_inspection", "yaml",
}  # fmt: skip
OF_THE_WAREHOUSE = OF_SETTINGS | {"_polars_runtime_32", "duckdb", "filelock", "jinja2", "markupsafe", "polars"}
OF_SYSTEMS = OF_THE_WAREHOUSE | {
    "_cffi_backend", "click", "cryptography", "httpx", "idna", "jwt", "lxml", "mypy_extensions", "oauthlib", "orjson",
    "pycountry", "pygments", "sqlglot", "tenacity", "tzdata",
}  # fmt: skip


def loaded_by(folder: Path, *commands: Sequence[str]) -> tuple[set[str], list[int]]:
    """Run commands in one process; return the installed packages that it loaded, and the exit codes."""
    code = (
        "import sys; from importlib.metadata import packages_distributions\n"
        "from orchestration.cli.start import begin; from orchestration.cli.main import app\n"
        "codes = []\n"
        f"for command in {[list(each) for each in commands]!r}:\n"
        "    begin(command)\n"
        "    try: app(command)\n"
        "    except SystemExit as end: codes.append(int(end.code or 0))\n"
        "top = {name.partition('.')[0] for name in sys.modules} & packages_distributions().keys()\n"
        "print(repr((top - {'_distutils_hack', 'orchestration', 'assets', 'resources', 'sql', 'tests'}, codes)))"
    )
    output = call([sys.executable, "-c", code], ROOT, MILLPOND_HOME=str(folder), MILLPOND_MODE="sandbox")
    assert output.code == 0, output.err
    loaded, codes = literal_eval(output.lines[-1])
    return loaded, codes


@pytest.mark.long
def test_commands_load_what_they_need(tour: Tour) -> None:
    """A look into the warehouse loads neither Dagster nor an HTTP client; what reads the files loads no Dagster."""
    links = "select min(source_id) as record from sync_links where workflow = 'suiteprojects__customers'"
    record = str(tour.home.warehouse.read(links)["record"][0])
    ledger = [["explain", "1"], ["plans"], ["tables"], ["links"]]
    files = [
        ["validate"],
        ["report"],
        ["doctor"],
        ["fields", "customers"],
        ["preview", record],
        ["enable", "hierarchy", "nonsense"],
    ]
    files += [["run", "nonsense"], ["plan", "nonsense"]]
    looked_up, codes = loaded_by(tour.home.folder, *ledger)
    checked, codes_of_checks = loaded_by(tour.home.folder, *files)

    assert codes[1:] == [0, 0, 0]
    assert codes_of_checks == [0, 0, 0, 0, 0, 2, 2, 2]
    assert looked_up - OF_THE_WAREHOUSE == set()
    assert checked - OF_SYSTEMS == set()


def test_the_command_list_matches_the_commands() -> None:
    """The list's summaries are shown without loading the commands, so they are written twice."""
    for commands in COMMANDS.values():
        for name, (function, summary) in commands.items():
            command = app[name]
            described = command.default_command
            documented = (described.__doc__ or "").partition("\n")[0] if described else command.help
            assert documented == summary, function


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """Bug reports name it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", "")
        assert run_command(capsys, "--version").lines == [version("millpond")]


@pytest.mark.long
def test_the_demo_fills_runs_and_suggests_commands(tour: Tour) -> None:
    """With DEMO_UI=0 the UI's command is printed instead of started."""
    assert tour.demo.code == 0, tour.demo.err
    assert tour.demo.lines[0] == "filling the sandbox's NetSuite with 200 entities (generated companies) …"
    assert max(tour.demo.counts("created")) > 50
    assert len(_suggestions(tour.demo)) == 3
    assert tour.demo.lines[-1].endswith("/millpond ui")


@pytest.mark.long
def test_the_demos_suggestions_work(tour: Tour) -> None:
    """They can be copied unchanged: no comment on the same line, nothing that is not installed."""
    explanation, day, query = tour.suggestions.values()

    assert [each.code for each in tour.suggestions.values()] == [0, 0, 0], [
        each.err for each in tour.suggestions.values()
    ]
    assert re.match(r"customers \d+  \S", explanation.lines[0])
    assert "decided" in explanation.out
    assert re.match(r"\s*\d+ events", day.lines[0])
    assert re.search(r"suiteprojects__customers\s*│.*│\s*\d+ │", query.out)


@pytest.mark.long
def test_a_plan_sends_nothing_and_counts_by_action_and_reason(tour: Tour) -> None:
    """Every change can be read before it is sent, value by value."""
    assert tour.plan.code == 4, tour.plan.err  # a name that is too long by now is held back
    assert tour.writes["planned"] == tour.writes["before"]
    assert re.search(r"run [0-9a-f]{8}: planned, nothing was sent", tour.plan.out)
    assert {state for state, _, _ in tour.plan.workflows} == {"planned"}
    assert tour.plan.counts("create")
    for workflow in ("suiteprojects__customers", "precoro__options"):
        assert re.search(rf"^plan [0-9a-f]+ of {workflow}: \d+ records? to write$", tour.plan.out, re.MULTILINE)
    assert re.search(r"^  not written: \d+ unchanged, [\d,]+ skipped \(.*: \d+", tour.plan.out, re.MULTILINE)
    assert re.search(r"^  [+~-] (create|update|deactivate) +customers \d+  \S", tour.plan.out, re.MULTILINE)
    assert re.search(r"^      \w+: .* → ", tour.plan.out, re.MULTILINE)


@pytest.mark.long
def test_a_plan_prints_what_it_would_write_before_what_is_held_back(tour: Tour) -> None:
    """Of all workflows: hundreds of blocked records must not hide the changes."""
    written, _, held = tour.plan.out.partition("\nheld back\n")

    assert len(re.findall(r"^plan \w+ of ", written, re.MULTILINE)) == len(tour.plan.workflows)
    assert re.search(r"^    \d+ contacts? blocked: (its|their) customer is not selected", held, re.MULTILINE)
    assert re.search(r"^    \d customers? quarantined: name is longer than 83 characters", held, re.MULTILINE)
    assert not re.search(r"^  [+~=-] ", held, re.MULTILINE)


@pytest.mark.long
def test_a_run_prints_its_results(tour: Tour) -> None:
    """One row per workflow; the counts are those of the plan."""
    assert tour.run.code == 4, tour.run.err  # as planned
    assert {state for state, _, _ in tour.run.workflows} == {"finished"}
    for planned, done in (("create", "created"), ("update", "updated"), ("deactivate", "deactivated")):
        assert sorted(tour.run.counts(done)) == sorted(tour.plan.counts(planned))  # the rows' order differs
    assert tour.run.counts("created")
    assert all(int(calls) > 0 and float(seconds) >= 0 for _, calls, seconds in tour.run.workflows)
    assert tour.writes["run"] > tour.writes["planned"]


@pytest.mark.long
def test_a_run_prints_the_accounts_that_it_wrote_to(tour: Tour) -> None:
    """An operator with a test and a production account sees which one it was."""
    accounts = dict(re.findall(r"^account (\S+): ([\w, ]+)$", tour.run.out, re.MULTILINE))

    assert set(accounts) == {BASE_URLS["suiteprojects"], BASE_URLS["precoro"]}
    assert "suiteprojects__customers" in accounts[BASE_URLS["suiteprojects"]]
    assert accounts[BASE_URLS["precoro"]].strip() == "precoro__options"


@pytest.mark.long
def test_a_run_lists_the_records_that_need_attention(tour: Tour) -> None:
    """A count of quarantined records is useless without their ids; names are for a terminal, not for a pipe."""
    unsent = tour.home.warehouse.read(
        "select source, source_id, action from sync_decisions where to_run is null"
        " and action in ('quarantined', 'ambiguous', 'failed')"
    )

    assert unsent.height
    for source, source_id, action in unsent.iter_rows():
        assert re.search(rf"^  {source} {source_id}: (new: )?{action}, ", tour.run.out, re.MULTILINE)


@pytest.mark.long
def test_piped_output_is_plain(tour: Tour) -> None:
    """No progress bar, no colors, no broken lines: output goes into files, mails and other programs."""
    for output in (tour.demo, tour.plan, tour.run, *tour.suggestions.values()):
        assert CONTROL.search(output.out) is None
    for output in (tour.demo, tour.plan, tour.run):
        assert re.fullmatch(r"sandbox: stand-ins in \S+; home \S+; .*\n", output.err)
    assert "Working" not in tour.run.out


@pytest.mark.long
@pytest.mark.usefixtures("tour")
def test_an_unknown_group_is_answered_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, as for every typing error."""
    active = ("contacts", "customer_department", "customers", "projects")
    groups = ("all", "customers", "precoro__options", "precoro_update", "suiteprojects")
    known = [*groups, *(f"suiteprojects__{name}" for name in active)]
    for command in ("run", "plan"):
        output = run_command(capsys, command, "nonsense")
        suggested = run_command(capsys, command, "custmers")
        assert (output.code, output.lines) == (
            2,
            [f"✗ no group nonsense; known are {', '.join(known)}"],
        )  # fmt: skip
        assert suggested.lines == [f"✗ no group custmers; did you mean customers? known are {', '.join(known)}"]


@pytest.mark.long
def test_a_record_is_found_by_id_number_name_and_target_id(tour: Tour, capsys: pytest.CaptureFixture[str]) -> None:
    """All of them lead to the same explanation, each part with its date."""
    links = tour.home.warehouse.read(
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
    outputs = [run_command(capsys, "explain", text) for text in (source_id, number, name.upper(), target_id)]

    assert [output.code for output in outputs] == [0, 0, 0, 0]
    assert len({output.out for output in outputs}) == 1
    explanation = outputs[0]
    assert explanation.lines[0] == f"customers {source_id}  {name}"
    assert f"│   ├── NetSuite id: {source_id}" in explanation.lines
    assert re.search(r"read from NetSuite, as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", explanation.out)
    assert re.search(r"suiteprojects__customers, as of .* UTC \(run [0-9a-f]{8}: finished\)", explanation.out)
    assert f"target id: {target_id} (created by a run)" in explanation.out
    assert "confirmed by the target" in explanation.out


@pytest.mark.long
def test_an_ambiguous_name_is_answered_with_a_list(tour: Tour, capsys: pytest.CaptureFixture[str]) -> None:
    """Two companies of the same name are listed with their ids."""
    with tour.home.warehouse.writer() as con:
        con.execute(
            "update stg_netsuite__customers set company_name = 'Twice & Co [x]'"
            " where customer_id in (select customer_id from stg_netsuite__customers order by customer_id limit 2)"
        )
        ids = [row[0] for row in con.execute(
            "select customer_id from stg_netsuite__customers where company_name = 'Twice & Co [x]' order by 1"
        ).fetchall()]  # fmt: skip

    output = run_command(capsys, "explain", "twice & co [X]")

    assert output.code == 2
    assert output.lines[0] == "several records match; use the NetSuite id:"
    assert [line.split()[0] for line in output.lines[1:]] == ids
    assert all("Twice & Co [x]" in line for line in output.lines[1:])


@pytest.mark.long
@pytest.mark.usefixtures("tour")
def test_an_unknown_record_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts see it in the exit code."""
    output = run_command(capsys, "explain", "[no] such one")

    assert output.code == 2
    assert output.lines == [
        "✗ no record has the NetSuite id, number, name or target id '[no] such one', as of the last run"
    ]


@pytest.mark.long
def test_before_the_first_run_there_is_nothing_to_explain(
    home: Home, tour: Tour, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names the command to run first."""
    output = run_command(capsys, "explain", "1")

    assert home.folder != tour.home.folder
    assert (output.code, output.lines) == (2, ["✗ nothing has been read yet; run `millpond run all` first"])


@pytest.mark.long
def test_validate_lists_valid_and_invalid_files(tour: Tour, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A problem is printed with file, line and field; exit code 1 stops a pipeline."""
    valid = millpond(tour.home.folder, "validate")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "defs.yaml").write_text(
        "type: assets.components.SyncWorkflow\nattributes:\n  target: suiteprojects.Customer\n  sauce: customers\n"
    )
    invalid = run_command(capsys, "validate", str(tmp_path))

    assert valid.code == 0
    assert len(valid.lines) == len(list((ROOT / "orchestration" / "workflows").glob("*/defs.yaml")))
    assert all(line.startswith("✓ ") for line in valid.lines)
    assert invalid.code == 1
    assert re.search(r"mine/defs.yaml:4: sauce: unknown key; did you mean `source`", invalid.out)


@pytest.mark.long
def test_a_failing_demo_prints_the_error_and_no_suggestions(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The error text instead of a traceback; and a filled sandbox is not filled again."""
    seed(home.sandbox, customers=10, companies=None, seed=1)
    home.sandbox.switches.set("netsuite", NetSuiteSwitches, hidden_tables=["customer"])

    output = run_command(capsys, "demo", "--customers", "5")

    assert output.code == 1
    assert output.lines[0].endswith("is already filled; continuing with it")
    assert any(line.startswith("✗ raw_netsuite__customers: netsuite: ") for line in output.lines)
    assert "Three things" not in output.out
    assert "Traceback" not in output.out + output.err
