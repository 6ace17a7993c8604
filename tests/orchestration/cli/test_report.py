"""The report of a run: its content, in a real browser, with names that try to break it."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import polars as pl
import pytest

from assets.delivery.audit.held_back import cause_rows
from assets.warehouse.run_report.page import render, write_report
from assets.warehouse.run_report.queries import RunReport, collect_report
from orchestration.configuration.settings import ROOT
from orchestration.workflow_files import load_workflows
from resources.clock import utc_now
from resources.redaction import know
from tests.orchestration.conftest import Home, at_home
from tests.orchestration.web.browser import open_browser, screenshot_folder

SHIPPED = ROOT / "orchestration" / "workflows"
HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\"&amp;{{7*7}}"
)


@pytest.fixture(scope="module")
def reported(synced_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A second run that gives a customer a hostile name."""
    folder = tmp_path_factory.mktemp("reported") / "home"
    copytree(synced_home, folder)
    with at_home(folder) as home:
        ids = delivered(home)
        home.sandbox.netsuite.update("customer", int(ids[0]), companyname=HOSTILE, url="www.oerebro.example")
        assert home.run("all").success
        return home


def delivered(home: Home) -> list[str]:
    """Return the NetSuite ids of the customers in SuiteProjects Pro."""
    links = home.warehouse.read(
        "select source_id from sync_links where workflow = 'suiteprojects__customers' order by all"
    )
    return [str(each) for each in links["source_id"]]


def newest(home: Home, *, hides: bool = False) -> RunReport:
    """Return the newest run's report."""
    workflows = {each.name: each for each in load_workflows(SHIPPED)[0]}
    held = cause_rows(home.warehouse, workflows, utc_now(home.sandbox.clock), hides=hides)
    report = collect_report(home.warehouse, held=held, hides=hides)
    assert report
    return report


def browse(page: Path, fragment: str, name: str) -> str:
    """Return the page's DOM after its script ran, and save a screenshot."""
    chromium = shutil.which("chromium")
    assert chromium
    screenshots = screenshot_folder(page.parent)
    command = [
        chromium, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={page.parent / 'profile'}",
        f"--screenshot={screenshots / name}.png", "--window-size=1200,2400", "--virtual-time-budget=5000", "--dump-dom",
        page.as_uri() + fragment,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=90).stdout


def test_the_report_matches_the_ledger(reported: Home) -> None:
    """Counts, changes with both values, and every record once."""
    report = newest(reported)
    run = reported.warehouse.read("select * from sync_runs where run_id = ? order by started_at", [report.run_id])
    changed = delivered(reported)[0]

    assert [each["workflow"] for each in report.workflows] == run["workflow"].to_list()
    for summary, row in zip(report.workflows, run.iter_rows(named=True), strict=True):
        assert sum(count for _, count in summary["counts"]) == row["source_records"]
    mine = [each for each in report.changes if each["id"] == changed and each["workflow"] == "suiteprojects__customers"]
    assert ("web", "www.oerebro.example") in [(field, after) for field, _, after in mine[0]["fields"]]
    decisions = reported.warehouse.read("select distinct source, source_id from sync_decisions")
    assert sorted((each["source"], each["id"]) for each in report.records) == sorted(decisions.rows())


def test_every_run_writes_its_report(reported: Home) -> None:
    """One file per run, readable by its owner only."""
    written = sorted((reported.warehouse.folder / "reports").glob("*.html"))

    assert len(written) == 2
    assert newest(reported).run_id[:8] in written[-1].name
    assert {page.stat().st_mode & 0o777 for page in written} == {0o600}


@pytest.mark.browser
@pytest.mark.usefixtures("browser")
def test_a_hostile_name_is_shown_as_text(reported: Home, tmp_path: Path) -> None:
    """It runs nothing, neither in the page nor through its data."""
    page = tmp_path / "report.html"
    page.write_text(render(newest(reported)))
    dom = browse(page, "", "report_hostile_name")

    assert "<title>Millpond" in dom
    assert "owned'" in dom
    assert "<img" not in dom
    assert dom.count("<script") == 2
    assert "{{7*7}}" in dom


@pytest.mark.browser
@pytest.mark.usefixtures("browser")
def test_the_report_shows_changes_and_finds_a_record(reported: Home, tmp_path: Path) -> None:
    """The script runs under the page's own content security policy, and a link opens one record."""
    page = tmp_path / "report.html"
    page.write_text(render(newest(reported)))
    dom = browse(page, f"#record={delivered(reported)[0]}", "report_record")

    assert "<ins>www.oerebro.example</ins>" in dom
    found = dom[dom.index('id="record-list"') :]
    assert f"<b>customers {delivered(reported)[0]}</b>" in found
    assert "suiteprojects__customers" in found


@pytest.mark.long
@pytest.mark.browser
@pytest.mark.usefixtures("browser")
def test_a_telephone_shows_why_records_are_held_back(reported: Home, tmp_path: Path) -> None:
    """Without scrolling sideways."""
    page = tmp_path / "report.html"
    page.write_text(render(newest(reported)))
    folder = tmp_path / "browser"
    folder.mkdir()
    with open_browser(folder) as telephone:
        telephone.send("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
        telephone.open(page.as_uri())
        reasons = telephone.js(
            "[...document.querySelectorAll('#held .why')].map(each => each.getBoundingClientRect())"
            ".map(each => [each.left, each.right, each.width])"
        )
        width = telephone.js("document.documentElement.scrollWidth")
        telephone.js("document.querySelector('#held').scrollIntoView()")
        telephone.screenshot("report_telephone", 390, 844)

    assert reasons
    assert all(left >= 0 and right <= 390 and wide > 150 for left, right, wide in reasons), reasons
    assert width <= 390


def test_the_report_loads_nothing(reported: Home) -> None:
    """It can be read offline and years later."""
    page = render(newest(reported))
    shell = re.sub(r'<script type="application/json".*?</script>', "", page, flags=re.DOTALL)

    # a link to the console loads nothing before someone follows it
    assert not re.search(r"(?:src|href)=[\"'](?!#|/console/)|url\(|@import|https?://", shell)
    assert "default-src 'none'" in shell


def test_values_are_omitted_if_the_snapshot_is_masked(reported: Home) -> None:
    """Only the names of changed fields are shown."""
    names = reported.warehouse.read(
        "select coalesce(company_name, last_name) as name from stg_netsuite__customers where company_name is not null"
    ).filter(pl.col("name").str.len_chars() > 5)
    page = render(newest(reported, hides=True))

    assert '"web"' in page
    assert [
        name for name in ["www.oerebro.example", *names["name"]] if json.dumps(name)[1:-1] in page or name in page
    ] == []


def test_old_reports_are_deleted(reported: Home, tmp_path: Path) -> None:
    """A run every few minutes would fill the disk."""
    report = newest(reported)
    tmp_path.joinpath("2020-01-01T000000-aaaaaaaa.html").touch()
    tmp_path.joinpath("2020-01-02T000000-aaaaaaaa.html").touch()
    page = write_report(report, tmp_path, keep=2)

    assert sorted(each.name for each in tmp_path.iterdir()) == ["2020-01-02T000000-aaaaaaaa.html", page.name]


def test_a_page_shows_no_secret(reported: Home, tmp_path: Path) -> None:
    """A reason may quote what a service echoed; wherever the page is written or shown."""
    token = "canary-of-a-token"
    report = replace(newest(reported), at=token)
    assert token in render(report)
    know("PRECORO_TOKEN", token)

    assert token not in render(report)
    assert token not in write_report(report, tmp_path, keep=1).read_text(encoding="utf-8")


def test_an_unknown_run_has_no_report(reported: Home) -> None:
    """Another run's report would be wrong."""
    assert collect_report(reported.warehouse, "no-such-run") is None
