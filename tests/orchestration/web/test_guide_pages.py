"""The guide in a browser: behind the sign-in, under its policy, drawn, searched, light and dark, wide and small."""

import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette

from orchestration.guide.site import build
from orchestration.web.access import Access
from orchestration.web.console.beside_dagster import BesideDagster
from orchestration.web.guide import guide
from orchestration.web.sign_in import SignIn
from orchestration.web.users import Users
from tests.orchestration.web.browser import Browser, open_browser
from tests.orchestration.web.test_ui import free_port, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.long]

TOKEN = "a-token-for-the-guide"
DESKTOP, TELEPHONE = (1280, 900), (390, 844)
WORD = "several_candidates"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the built guide."""
    pytest.importorskip("zensical")
    folder, port, others = tmp_path_factory.mktemp("guide"), free_port(), Starlette()
    assert build(folder / "staged") == 0
    app = BesideDagster(console=others, dagster=others, guide=guide(folder / "staged" / "site"))
    access = Access(TOKEN, frozenset({"127.0.0.1"}), [], Users(folder / "users.json"))
    server = uvicorn.Server(uvicorn.Config(SignIn(app, access), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, 30, "the server does not start")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=30)


@pytest.fixture(scope="module")
def page(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that has signed in by the link with the token."""
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        opened.open(f"{address}/docs/?token={TOKEN}")
        opened.read("Millpond guide")
        yield opened


def show(page: Browser, size: tuple[int, int], scheme: str) -> None:
    """Set the screen's size and the preferred colors."""
    width, height = size
    page.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
    page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])


@pytest.mark.usefixtures("browser")
@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (TELEPHONE, "dark")], ids=["desktop", "telephone"])
def test_pages_fit_and_follow_the_systems_colors(
    page: Browser, address: str, size: tuple[int, int], scheme: str
) -> None:
    """Wide tables scroll within the page; nothing is loaded from another host."""
    show(page, size, scheme)
    for name in ("index", "workflows/reference", "reference/settings", "operate/playbooks"):
        page.open(f"{address}/docs/{name}.html")
        page.wait_for("document.querySelector('h1')?.innerText.length > 0", f"{name} has no heading")
        shown = page.js("getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).slice(0, 3).map(Number)")
        assert (sum(shown) > 600) == (scheme == "light"), (name, shown)
        assert page.js("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 1, name
        loaded = page.js("performance.getEntriesByType('resource').map(each => new URL(each.name).origin)")
        assert {*loaded} <= {address}, name
        page.screenshot(f"guide-{name.replace('/', '-')}-{scheme}", *size)


@pytest.mark.usefixtures("browser")
def test_diagrams_are_drawn(page: Browser, address: str) -> None:
    """By the copy of the library that the guide brings; a mistake in a diagram shows its text instead."""
    show(page, DESKTOP, "light")
    for name in ("under-the-hood/architecture", "tables"):
        page.open(f"{address}/docs/{name}.html")
        page.wait_for(
            "document.querySelectorAll('.mermaid').length > 0 && !document.querySelector('pre.mermaid')",
            f"a diagram on {name} is not drawn",
        )


@pytest.mark.usefixtures("browser")
def test_a_diagram_scrolls_on_a_telephone(page: Browser, address: str) -> None:
    """Shrunk to the width of the page, the six columns of the ledger's could not be read."""
    show(page, TELEPHONE, "light")
    page.open(f"{address}/docs/under-the-hood/ledger.html")
    page.wait_for("!!document.querySelector('div.mermaid')", "the diagram is not drawn")

    assert page.js("(e => e.scrollWidth > 2 * e.clientWidth)(document.querySelector('div.mermaid'))")
    assert page.js("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.usefixtures("browser")
def test_the_search_finds_a_reason_code(page: Browser, address: str) -> None:
    """Without network, under the policy of the server."""
    show(page, DESKTOP, "light")
    page.open(f"{address}/docs/index.html")
    page.wait_for("!!document.querySelector('.md-search__button')", "there is no search")
    page.js("document.querySelector('.md-search__button').click()")
    dialog = "[...document.querySelectorAll('*')].map(each => each.shadowRoot).find(Boolean)"
    page.wait_for(f"!!({dialog})?.activeElement?.matches('input')", "the search does not open")
    page.send("Input.insertText", text=WORD)
    found = f"[...({dialog})?.querySelectorAll('a') || []]"
    page.wait_for(f"{found}.some(each => each.href.includes('reasons.html'))", "the search does not find the code")
    page.screenshot("guide-search", *DESKTOP)
