"""OAuth 2 with rotating refresh tokens, and reads by REST."""

import httpx
import pytest

from resources.sandbox.sandbox import BASE_URLS, Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches

CALLBACK = "https://app.example/cb"
TOKEN = "/login/oauth2/v1/token"


@pytest.fixture
def http(sandbox: Sandbox) -> httpx.Client:
    """An HTTP client without authentication."""
    return httpx.Client(transport=sandbox.transport("suiteprojects"), base_url=BASE_URLS["suiteprojects"])


def refresh(sandbox: Sandbox, http: httpx.Client, token: str) -> httpx.Response:
    """Exchange a refresh token."""
    own = sandbox.credentials["suiteprojects"]
    form = {"grant_type": "refresh_token", "refresh_token": token, "redirect_uri": CALLBACK}
    return http.post(TOKEN, data=form, auth=(own["client_id"], own["client_secret"]))


def bearer(token: str) -> dict[str, str]:
    """Return the Authorization header."""
    return {"Authorization": f"Bearer {token}"}


def test_a_refresh_token_works_once(sandbox: Sandbox, http: httpx.Client) -> None:
    """Each refresh returns a new one, which must be stored (§3)."""
    first = refresh(sandbox, http, sandbox.credentials["suiteprojects"]["refresh_token"]).json()

    again = refresh(sandbox, http, sandbox.credentials["suiteprojects"]["refresh_token"])
    second = refresh(sandbox, http, first["refresh_token"])

    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})
    assert (second.status_code, second.json()["expires_in"]) == (200, 3600)
    assert http.get("/rest/v1/customers/", headers=bearer(second.json()["access_token"])).status_code == 200


def test_tokens_expire(sandbox: Sandbox, http: httpx.Client) -> None:
    """An access token after an hour, a refresh token after a day; the sandbox's own access token never."""
    issued = refresh(sandbox, http, sandbox.credentials["suiteprojects"]["refresh_token"]).json()
    sandbox.clock.sleep(3601)

    assert http.get("/rest/v1/customers/", headers=bearer(issued["access_token"])).status_code == 401
    sandbox.clock.sleep(86_400)
    assert refresh(sandbox, http, issued["refresh_token"]).status_code == 400
    own = sandbox.credentials["suiteprojects"]["access_token"]
    assert http.get("/rest/v1/customers/", headers=bearer(own)).status_code == 200


def test_a_code_is_exchanged_for_tokens_once(sandbox: Sandbox, http: httpx.Client) -> None:
    """The only supported grant; the redirect URI must be the same (§3)."""
    own = sandbox.credentials["suiteprojects"]
    parameters = {
        "response_type": "code",
        "client_id": own["client_id"],
        "redirect_uri": CALLBACK,
        "state": "s",
        "scope": "xml",
    }
    back = http.get("/login/oauth2/v1/authorize", params=parameters)
    redirected = dict(httpx.URL(back.headers["location"]).params)
    form = {"grant_type": "authorization_code", "code": redirected["code"], "redirect_uri": CALLBACK}
    auth = (own["client_id"], own["client_secret"])

    wrong = http.post(TOKEN, data=form | {"redirect_uri": "https://elsewhere.example"}, auth=auth)
    right, again = (http.post(TOKEN, data=form, auth=auth) for _ in range(2))

    assert (back.status_code, redirected["state"]) == (302, "s")
    assert [wrong.status_code, right.status_code, again.status_code] == [400, 200, 400]


def test_an_unknown_application_is_rejected(sandbox: Sandbox, http: httpx.Client) -> None:
    """HTTP Basic with the application's id and secret; no client credentials grant (§3)."""
    own = sandbox.credentials["suiteprojects"]

    assert http.post(TOKEN, data={"grant_type": "refresh_token"}, auth=("no", "no")).status_code == 401
    grant = {"grant_type": "client_credentials"}
    assert http.post(TOKEN, data=grant, auth=(own["client_id"], own["client_secret"])).status_code == 400


def test_lists_have_pages(sandbox: Sandbox, http: httpx.Client) -> None:
    """`offset` must be a multiple of `limit`; the response has the total (§3)."""
    sandbox.suiteprojects.add_many(
        "Customer", [{"name": f"C{n}", "company": f"C{n}", "externalid": str(n)} for n in range(5)]
    )
    headers = bearer(sandbox.credentials["suiteprojects"]["access_token"])
    parameters = {"fields": "id,company,externalId,isActive", "limit": 2}

    page = http.get("/rest/v1/customers/", params=parameters | {"offset": 2}, headers=headers).json()
    misaligned = http.get("/rest/v1/customers/", params=parameters | {"offset": 1}, headers=headers)

    assert page["data"][0] == {"id": 3, "company": "C2", "externalId": "2", "isActive": True}
    assert (page["meta"]["rowsPerPage"], page["meta"]["totalPages"], page["meta"]["totalRows"]) == (2, 3, 5)
    assert {link["rel"] for link in page["meta"]["links"]} == {"first", "prev", "self", "next", "last"}
    assert misaligned.status_code == 400


def test_customers_cannot_be_written_by_rest(sandbox: Sandbox, http: httpx.Client) -> None:
    """Only GET and OPTIONS are supported, so the XML API is necessary (§3)."""
    headers = bearer(sandbox.credentials["suiteprojects"]["access_token"])

    assert http.post("/rest/v1/customers/", json={"company": "A"}, headers=headers).status_code == 405
    assert http.options("/rest/v1/customers/", headers=headers).headers["allow"] == "GET, OPTIONS"
    assert http.get("/rest/v1/customers/99", headers=headers).status_code == 404
    assert http.get("/rest/v1/hierarchies/", headers=headers).status_code == 404
    assert http.get("/rest/v1/customers/").status_code == 400
    assert http.get("/rest/v1/customers/", headers=bearer("no")).status_code == 401


def test_rest_and_xml_share_the_quota(sandbox: Sandbox, http: httpx.Client) -> None:
    """The status is 429 in REST and 556 in XML (§1.6)."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_minute=1)
    headers = bearer(sandbox.credentials["suiteprojects"]["access_token"])

    statuses = [http.get(f"/rest/v1/{each}/", headers=headers).status_code for each in ("contacts", "projects")]

    assert statuses == [200, 429]
