"""The Dagster UI: runs launched over GraphQL, pages in a headless browser, start and stop."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from orchestration.configuration.settings import ROOT
from resources.sandbox.generator.seed import seed
from tests.orchestration.conftest import at_home
from tests.orchestration.web.browser import Browser, open_browser, screenshot_folder

# without a queue the webserver launches runs itself, so no daemon is needed
INSTANCE = """
telemetry: {enabled: false}
nux: {enabled: false}
run_coordinator: {module: dagster.core.run_coordinator, class: DefaultRunCoordinator}
storage:
  custom:
    module: orchestration.dagster_storage
    class: KeptSqliteStorage
    config: {base_dir: {env: DAGSTER_HOME}}
"""
MILLPOND = [sys.executable, "-c", "from orchestration.cli.main import main; main()"]
TOKEN = "a-token-that-signs-in"
SIGNED_IN = {"Authorization": f"Bearer {TOKEN}"}
PLAN = "plan_suiteprojects__customers"
LAUNCH = """mutation L($p: ExecutionParams!) {
    launchPipelineExecution(executionParams: $p) { __typename ... on LaunchRunSuccess { run { runId } } }
}"""
STATUS = "query S($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
MATERIALIZED = """query M($key: AssetKeyInput!) {
    assetNodes(assetKeys: [$key]) { assetMaterializations(limit: 1) { timestamp } }
}"""
CHROMIUM = [
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--virtual-time-budget=15000", "--dump-dom",
]  # fmt: skip


@contextmanager
def running(command: list[str], log: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in its own session, and kill all of its processes afterwards."""
    environment = {name: value for name, value in os.environ.items() if name != "MILLPOND_WORKFLOWS"} | variables
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield process
        finally:
            started = [process.pid, *descendants(process.pid)]
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            for number in started:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            process.wait()


def status_of(number: int) -> tuple[str, int]:
    """Return a process's state and parent; `Z` for a zombie and for a process that is gone."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "Z", 0
    return fields[0], int(fields[1])


def is_alive(number: int) -> bool:
    """Return whether a process is alive."""
    return status_of(number)[0] != "Z"


def descendants(parent: int) -> list[int]:
    """Return the ids of a process's live descendants."""
    below: dict[int, list[int]] = {}
    for number in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        state, above = status_of(number)
        if state != "Z":
            below.setdefault(above, []).append(number)
    found = [parent]
    for number in found:
        found += below.get(number, [])
    return found[1:]


def wait_until(condition: Callable[[], bool], seconds: float, problem: str) -> None:
    """Wait until a condition holds."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, problem
        sleep(0.1)


def free_port() -> int:
    """Return a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_up(http: httpx.Client) -> bool:
    """Return whether the webserver responds."""
    try:
        return http.get("/server_info").is_success
    except httpx.HTTPError:
        return False


@dataclass
class Page:
    """A rendered page."""

    dom: str
    screenshot: Path


@dataclass
class Ui:
    """A webserver on a home with 60 customers."""

    http: httpx.Client
    folder: Path

    @cached_property
    def status(self) -> str:
        """The status of the run of `all`, which is launched when it is first asked for."""
        return self.launch("all")

    @property
    def address(self) -> str:
        """Its base URL."""
        return str(self.http.base_url).rstrip("/")

    def materialized(self, asset: str) -> float:
        """Return when an asset was last materialized, in seconds; 0 for never."""
        (node,) = self.query(MATERIALIZED, key={"path": [asset]})["assetNodes"]
        return max((float(each["timestamp"]) for each in node["assetMaterializations"]), default=0.0)

    def query(self, query: str, **variables: Any) -> dict[str, Any]:
        """Send a GraphQL request, and return its data."""
        response = self.http.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in response, response
        data: dict[str, Any] = response["data"]
        return data

    def launch(self, job: str) -> str:
        """Launch a job as the button does, wait until it ends, and return its status."""
        selector = {"repositoryName": "__repository__", "repositoryLocationName": "millpond", "jobName": job}
        execution = {"selector": selector, "runConfigData": {}, "mode": "default"}
        run_id = self.query(LAUNCH, p=execution)["launchPipelineExecution"]["run"]["runId"]
        ended = {"SUCCESS", "FAILURE", "CANCELED"}
        wait_until(lambda: self._status(run_id) in ended, 120, "the run does not end")
        return self._status(run_id)

    def _status(self, run_id: str) -> str:
        return str(self.query(STATUS, id=run_id)["runOrError"]["status"])

    def render(self, path: str, name: str, size: str) -> Page:
        """Render a page in a headless browser, and save a screenshot."""
        screenshot = screenshot_folder(self.folder) / f"{name}.png"
        options = [f"--window-size={size}", f"--user-data-dir={self.folder / 'browser'}", f"--screenshot={screenshot}"]
        url = f"{str(self.http.base_url).rstrip('/')}{path}{'&' if '?' in path else '?'}token={TOKEN}"
        done = subprocess.run([*CHROMIUM, *options, url], capture_output=True, text=True, timeout=90, check=True)
        return Page(done.stdout, screenshot)


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """The webserver without a daemon."""
    folder = tmp_path_factory.mktemp("home")
    dagster, port = folder / "dagster", free_port()
    dagster.mkdir()
    (dagster / "dagster.yaml").write_text(INSTANCE)
    with at_home(folder) as home:
        seed(home.sandbox, customers=60, companies=None, seed=3)
        command = [sys.executable, "-m", "orchestration.web.webserver", "127.0.0.1", str(port)]
        with (
            running(command, folder / "log", DAGSTER_HOME=str(dagster), MILLPOND_UI_TOKEN=TOKEN) as server,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, headers=SIGNED_IN) as http,
        ):
            wait_until(lambda: is_up(http) or server.poll() is not None, 60, "the webserver does not respond")
            assert server.poll() is None, (folder / "log").read_text()[-2000:]
            yield Ui(http, folder)


@pytest.fixture
def after_run(ui: Ui) -> Ui:
    """The webserver after one successful run of everything."""
    assert ui.status == "SUCCESS", (ui.folder / "log").read_text()[-3000:]
    return ui


@pytest.mark.long
def test_the_job_launched_from_the_ui_succeeds(ui: Ui) -> None:
    """The code location works in the webserver's own processes."""
    assert ui.status == "SUCCESS", (ui.folder / "log").read_text()[-3000:]


@pytest.mark.long
@pytest.mark.browser
@pytest.mark.usefixtures("browser")
def test_the_graph_shows_the_path_from_netsuite_to_the_targets(after_run: Ui) -> None:
    """Every asset group is shown."""
    page = after_run.render("/asset-groups", "asset_graph", "2200,1400")

    for group in ("netsuite", "warehouse", "history", "suiteprojects", "hierarchies", "precoro", "analysts"):
        assert f">{group}<" in page.dom, group
    assert page.screenshot.stat().st_size > 20_000


@pytest.mark.long
@pytest.mark.browser
@pytest.mark.usefixtures("browser")
def test_a_workflows_graph_shows_its_assets_as_materialized(after_run: Ui) -> None:
    """Every asset with its state and its checks."""
    page = after_run.render(f"/assets/{PLAN}?view=lineage&lineageScope=neighbors", "plan_lineage", "2200,1400")

    for layer in ("mart", "target", "plan", "sync"):
        assert f"{layer}_suiteprojects__customers" in page.dom, layer
    assert page.dom.count(">Materialized<") == 4
    assert "2 / 2 Passed" in page.dom


@pytest.mark.long
@pytest.mark.browser
@pytest.mark.usefixtures("browser")
def test_a_plans_page_shows_its_changes(after_run: Ui) -> None:
    """Description, owner, columns with comments, jobs, and the preview as a table."""
    page = after_run.render(f"/assets/{PLAN}", "plan", "1600,2800")

    for text in (
        "one action with its reason per NetSuite record", "integrations", "Latest materialization", "Row count",
        "suiteprojects__customers__plan", ">first_records<",
    ):  # fmt: skip
        assert text in page.dom, text
    table = page.dom[page.dom.rindex(">preview<") :]
    assert "<td>create</td>" in table
    assert "<td>new</td>" in table
    assert page.screenshot.stat().st_size > 20_000


@pytest.fixture
def page(ui: Ui, tmp_path: Path, browser: None) -> Iterator[Browser]:  # noqa: ARG001 - a browser must be there
    """A browser page without cookies."""
    with open_browser(tmp_path) as made:
        yield made


@pytest.mark.browser
def test_the_sign_in_form_leads_to_the_requested_page(ui: Ui, page: Browser) -> None:
    """A wrong token shows the form again, the right one the page."""
    page.open(f"{ui.address}/assets/{PLAN}")
    page.read("Sign-in token")
    page.screenshot("sign_in", 900, 700)
    page.type("#token", "a guess")
    page.click("Sign in")
    page.wait_for("document.querySelector('#token')?.value === ''", "the form is not shown again")
    assert page.js("document.cookie") == ""
    sleep(1.1)  # one attempt a second
    page.type("#token", TOKEN)
    page.click("Sign in")

    page.read(PLAN, "Latest materialization")
    assert page.js("location.pathname") == f"/assets/{PLAN}"
    assert TOKEN not in page.js("location.href")


@pytest.mark.long
@pytest.mark.browser
@pytest.mark.usefixtures("after_run")
def test_an_asset_is_materialized_from_its_page(ui: Ui, page: Browser) -> None:
    """With the operator's button."""
    asset = "stg_netsuite__currencies"
    page.open(f"{ui.address}/assets/{asset}?token={TOKEN}")
    before = ui.materialized(asset)
    page.click("Materialize")
    wait_until(lambda: ui.materialized(asset) > before, 120, "the asset is not materialized")

    page.open(f"{ui.address}/assets/{asset}?view=events")
    page.read("Materialized in run", "dagster/row_count")
    page.open(f"{ui.address}/runs")
    page.read("Success")
    page.screenshot("runs", 1600, 800)


@pytest.mark.long
@pytest.mark.browser
@pytest.mark.usefixtures("after_run")
def test_a_sync_assets_page_shows_the_runs_results_and_its_report(ui: Ui, page: Browser) -> None:
    """Summary, changes, unsent records with reasons, calls and quota, checks; and a link to the report."""
    page.open(f"{ui.address}/assets/sync_suiteprojects__customers?token={TOKEN}")
    page.read("summary", "changed", "held_back", "quota", "left for the day", "report", "NetSuite id")
    page.screenshot("sink", 1600, 3200)
    link = page.js("[...document.querySelectorAll('a')].map(e => e.href).find(e => e.includes('/reports/'))")
    page.open(f"{ui.address}/assets/sync_suiteprojects__customers?view=checks")
    page.read("rows_accounted_for", "outcomes_known", "no_lag", "all_sent", "reconciled")
    page.screenshot("sink_checks", 1600, 1000)
    page.open(link)

    page.read("Millpond", "suiteprojects__customers")
    page.screenshot("report", 1200, 1600)


# SIGHUP ends a process unless the tests run under nohup, which the program would respect
START = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN);"
    " signal.signal(signal.SIGHUP, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])"
)


@pytest.mark.long
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGHUP])
def test_millpond_ui_serves_and_stops(tmp_path: Path, stop: signal.Signals) -> None:
    """The address is printed once the UI responds; SIGTERM, or a closed terminal, stops all processes within seconds.

    SIGINT is ignored at the start, as after a shell's `&`: Dagster would then ignore SIGTERM as well.
    """
    port = free_port()
    ignoring = [sys.executable, "-c", START, *MILLPOND, "ui", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    environment = {"MILLPOND_HOME": str(tmp_path), "DAGSTER_HOME": "", "MILLPOND_UI_TOKEN": TOKEN}
    client = httpx.Client(base_url=address, timeout=30, headers=SIGNED_IN)
    with running(ignoring, tmp_path / "log", **environment) as process, client as http:
        log = tmp_path / "log"
        address_line = f"the console is on {address}/console/, the Dagster UI on {address} (stop with Ctrl-C)"
        wait_until(lambda: address_line in log.read_text() or process.poll() is not None, 60, "no address was printed")
        assert is_up(http), log.read_text()
        taken = subprocess.run(
            [*MILLPOND, "ui", "--port", str(port)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert (taken.returncode, taken.stdout.strip()) == (2, f"port {port} is in use; choose another one with --port")

        started = descendants(process.pid)
        assert len(started) >= 2
        process.send_signal(stop)
        assert process.wait(20) == 0
        assert [number for number in started if is_alive(number)] == []


@pytest.mark.long
def test_the_daemon_stops_when_the_webserver_dies(tmp_path: Path) -> None:
    """A daemon without a UI would run unnoticed."""
    port = free_port()
    command = [*MILLPOND, "ui", "--port", str(port)]
    environment = {"MILLPOND_HOME": str(tmp_path), "DAGSTER_HOME": ""}
    with running(command, tmp_path / "log", **environment) as process:
        wait_until(lambda: len(descendants(process.pid)) >= 2, 60, "nothing was started")
        started = descendants(process.pid)
        webserver = next(
            number for number in started if "orchestration.web.webserver" in Path(f"/proc/{number}/cmdline").read_text()
        )
        os.kill(webserver, signal.SIGKILL)

        assert process.wait(30) == 1
        assert "webserver or daemon ended" in (tmp_path / "log").read_text()
        assert [number for number in started if is_alive(number)] == []


@pytest.mark.long
def test_concurrent_processes_may_create_dagsters_home(tmp_path: Path) -> None:
    """Such as the first run and the first start of the UI: one of them creates Dagster's SQLite files."""
    code = (
        "from orchestration.dagster_instance import open_instance\n"
        "from orchestration.configuration.settings import MillpondSettings\n"
        "open_instance(MillpondSettings()).dispose()"
    )
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "MILLPOND_HOME": str(tmp_path), "DAGSTER_HOME": ""}
    started = [subprocess.Popen(command, cwd=ROOT, env=environment) for _ in range(4)]

    assert [process.wait(120) for process in started] == [0] * 4
