"""The pictures of the documentation, taken of a prepared home: `make screenshots` writes them to docs/pictures.

Without PICTURES_FOLDER they go to the test's own folder, so that the pages that the pictures show are always tested.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orchestration.conftest import Home
from tests.orchestration.web.browser import Browser, open_browser
from tests.orchestration.web.console_home import CUSTOMERS, Console, console_of
from tests.orchestration.web.test_console import FAULTS

pytestmark = [pytest.mark.browser, pytest.mark.long]

MAX_BYTES, WIDTH, GRAPH = 150_000, 1160, (1400, 560)
EDITS = (
    {"companyname": "Northwind Holding AB", "phone": "+46 8 120 45 00"},
    {"phone": "+47 22 33 44 55"},
    {"url": "www.lindqvist.example"},
    {"companyname": "Baltic Freight Group", "url": "www.balticfreight.example"},
)
DAYS = 6


def prepare(home: Home) -> tuple[dict[str, str], tuple[str, str]]:
    """Let some days pass with runs and edits, and end with a plan that waits."""
    linked = home.warehouse.read(
        "select source_id from sync_links join stg_netsuite__customers on customer_id = source_id where workflow = ?"
        " and source = 'customers' and payload_hash is not null and not is_person"
        " order by try_cast(source_id as bigint)",
        [CUSTOMERS],
    )["source_id"].to_list()
    update = home.sandbox.netsuite.update
    for day in range(DAYS):
        home.sandbox.clock.sleep(86_400)
        for source_id in linked[4 : 5 + day % 2]:  # within the guard
            update("customer", int(source_id), phone=f"+46 8 55 00 {day}0")
        home.run(CUSTOMERS)
    home.sandbox.clock.sleep(86_400)
    for source_id, edit in zip(linked, EDITS, strict=False):
        update("customer", int(source_id), **edit)
    home.run(f"{CUSTOMERS}__plan")
    return {"record": linked[0]}, ("", "")


def pictures_folder(otherwise: Path) -> Path:
    """Return the folder that gets the pictures."""
    folder = Path(os.environ.get("PICTURES_FOLDER") or otherwise)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def console(synced_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A home after a week of runs."""
    with console_of(synced_home, tmp_path_factory.mktemp("pictures"), prepare) as made:
        yield made


@pytest.fixture(scope="module")
def page(console: Console, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that is signed in as an approver."""
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        console.sign_in(opened, "ada")
        yield opened


@pytest.mark.usefixtures("browser")
@pytest.mark.parametrize(
    ("name", "path", "height", "text"),
    [
        ("overview", "", 820, "wait for approval"),
        ("plan", "plans/{plan}", 820, "Records that this plan writes"),
        ("record", "records/customers/{record}", 860, "What happened"),
    ],
)
def test_a_picture_is_taken(
    page: Browser, console: Console, tmp_path: Path, name: str, path: str, height: int, text: str
) -> None:
    """Of a page without a fault, small enough for a repository."""
    page.screenshots = pictures_folder(tmp_path)
    page.open(f"{console.address}/console/{path.format(plan=console.plan(), record=console.ids['record'])}")
    page.read(text)
    assert page.js(FAULTS) == []
    picture = page.screenshot(name, WIDTH, height)

    assert picture.stat().st_size < MAX_BYTES


@pytest.mark.usefixtures("browser")
def test_a_picture_of_the_asset_graph_is_taken(page: Browser, console: Console, tmp_path: Path) -> None:
    """Dagster's own page, at rest: each group of assets with its whole name."""
    page.screenshots = pictures_folder(tmp_path)
    page.resize(*GRAPH)  # the graph is drawn in the middle of the page that it finds
    page.open(f"{console.address}/asset-groups")
    for group in ("netsuite", "warehouse", "history", "hierarchies", "suiteprojects", "precoro", "analysts"):
        shown = f"document.body.innerText.split('{group}').length > 2"
        page.wait_for(shown, f"{group} is not shown both beside the graph and in it")
    picture = page.screenshot("asset-graph", *GRAPH)

    assert picture.stat().st_size < MAX_BYTES
