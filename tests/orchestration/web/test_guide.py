"""The guide at /docs/: behind the sign-in, from files of ours alone, one click away from each page of the console."""

import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from orchestration.configuration.settings import ROOT
from orchestration.web.access import Access
from orchestration.web.console.beside_dagster import BesideDagster
from orchestration.web.console.pages import HELP, environment
from orchestration.web.guide import guide
from orchestration.web.sign_in import SignIn
from orchestration.web.users import Users
from tests.docs.pages import anchors

TOKEN = "a-token-for-the-guide"
SIGNED_IN = {"Authorization": f"Bearer {TOKEN}"}


async def dagster(request: Request) -> PlainTextResponse:
    """Respond as Dagster would."""
    return PlainTextResponse(f"dagster {request.url.path}")


@pytest.fixture
def visitor(tmp_path: Path) -> TestClient:
    """A client that has not signed in, of a server whose guide is in the folder `site`."""
    others = Starlette(routes=[Route("/{path:path}", dagster)])
    app = BesideDagster(console=others, dagster=others, guide=guide(tmp_path / "site"))
    access = Access(TOKEN, frozenset({"localhost"}), [], Users(tmp_path / "users.json"))
    return TestClient(SignIn(app, access), base_url="http://localhost:3000", follow_redirects=False)


def built(folder: Path) -> None:
    """Put a small site where it is built to."""
    (folder / "site" / "operate").mkdir(parents=True)
    (folder / "site" / "index.html").write_text("the first page")
    (folder / "site" / "operate" / "undo.html").write_text("how to undo")
    (folder / "secret.txt").write_text("beside the site")


def test_the_guide_needs_a_sign_in(visitor: TestClient, tmp_path: Path) -> None:
    """It is the same server, and the same rule."""
    built(tmp_path)

    response = visitor.get("/docs/index.html", headers={"Accept": "text/html"})

    assert response.status_code in {302, 303, 307, 401}
    assert "first page" not in response.text


def test_the_guide_is_served(visitor: TestClient, tmp_path: Path) -> None:
    """Its pages, and nothing outside of its folder."""
    built(tmp_path)

    def get(path: str) -> httpx.Response:
        return visitor.get(path, headers=SIGNED_IN)

    assert get("/docs").headers["location"] == "/docs/"
    assert get("/docs/").text == "the first page"
    assert get("/docs/operate/undo.html").text == "how to undo"
    assert get("/docs/nothing.html").status_code == 404
    assert get("/docs/..%2fsecret.txt").status_code == 404
    assert get("/documents").text == "dagster /documents"


def test_the_guide_loads_nothing_from_elsewhere(visitor: TestClient, tmp_path: Path) -> None:
    """The browser refuses what the policy does not name, whatever a page asks for."""
    built(tmp_path)

    policies = visitor.get("/docs/", headers=SIGNED_IN).headers.get_list("content-security-policy")

    named = {word for policy in policies for part in policy.split(";") for word in part.split()[1:]}
    assert named <= {"'none'", "'self'", "'unsafe-inline'", "data:", "blob:"}
    assert any("default-src 'none'" in policy for policy in policies)
    assert any("frame-ancestors 'none'" in policy for policy in policies)


def test_without_the_site_the_guide_says_how_to_build_it(visitor: TestClient, tmp_path: Path) -> None:
    """A plain run needs neither the generator nor the site; it appears without a restart."""
    missing = visitor.get("/docs/operate/undo.html", headers=SIGNED_IN)
    built(tmp_path)
    found = visitor.get("/docs/operate/undo.html", headers=SIGNED_IN)

    assert missing.status_code == 404
    assert "make docs" in missing.text
    assert found.text == "how to undo"


def test_each_page_of_the_console_links_to_its_help() -> None:
    """In the frame that all of them have."""
    source = ROOT / "orchestration/web/console/templates/base.html.jinja"

    assert '<a href="{{ help }}">Help</a>' in source.read_text(encoding="utf-8")


@pytest.mark.parametrize("template", sorted(HELP))
def test_the_help_of_a_page_exists(template: str) -> None:
    """A template of the console, a page of the guide, and a heading on it."""
    page, _, anchor = HELP[template].partition("#")
    source = ROOT / "docs" / re.sub(r"\.html$", ".md", page)

    assert environment().get_template(f"{template}.html.jinja")
    assert source.is_file()
    assert not anchor or anchor in anchors(source.read_text(encoding="utf-8"))
