"""The console lists the saved simulations and shows their replays, and nothing else of the home."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from orchestration.configuration.settings import MillpondSettings
from orchestration.simulation.saved import save
from orchestration.web.console.routes import console
from resources.redaction import know
from tests.orchestration.simulation.documents import found
from tests.orchestration.simulation.installation import options
from tests.orchestration.web.test_console_pages import no_dagster


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a warehouse."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def http(home: Path) -> Iterator[TestClient]:  # noqa: ARG001 - the settings name it
    """A browser on the console."""
    with TestClient(console(MillpondSettings(), no_dagster)) as client:
        yield client


def test_saved_simulations_are_listed_with_their_verdicts(home: Path, http: TestClient) -> None:
    """Also one whose file someone damaged."""
    save(home, "good", options(), found())
    save(home, "bad", options(), found(violations=2))
    (home / "simulations" / "damaged.yaml").write_text("seed: [")

    html = http.get("/console/simulations").text

    assert "every invariant holds" in html
    assert "2 checks failed" in html
    assert "save the simulation again" in html
    assert 'href="/console/simulations/good"' in html


def test_a_replay_is_shown_as_it_was_saved(home: Path, http: TestClient) -> None:
    """With its own content security policy, and not from a cache."""
    save(home, "good", options(), found())

    response = http.get("/console/simulations/good")

    assert response.status_code == 200
    assert "Every invariant holds" in response.text
    assert response.headers["cache-control"] == "no-store"


def test_a_replay_that_was_changed_runs_no_script_and_shows_no_secret(home: Path, http: TestClient) -> None:
    """The file lies in the home, and its address is that of the console's buttons."""
    know("PRECORO_TOKEN", "a-token-in-an-example")
    save(home, "good", options(), {**found(), "line": "a-token-in-an-example"})
    file = home / "simulations" / "good.html"

    assert "a-token-in-an-example" not in file.read_text()
    file.write_text("<script>act()</script>")
    policy = http.get("/console/simulations/good").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'")


@pytest.mark.parametrize("name", ["none", "..%2Fusers", "good.html", "%2e%2e", "all"])
def test_no_other_file_is_shown(home: Path, http: TestClient, name: str) -> None:
    """A name cannot leave the folder."""
    save(home, "good", options(), found())
    (home / "users.html").write_text("secret")

    assert http.get(f"/console/simulations/{name}").status_code == 404


def test_a_page_without_simulations_says_how_to_save_one(http: TestClient) -> None:
    """An empty table explains nothing."""
    assert "millpond simulate --days 30 --save first" in http.get("/console/simulations").text
