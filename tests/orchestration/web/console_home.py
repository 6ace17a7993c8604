"""A home for the console: a plan that waits, records with hostile names, an ambiguous record, and its webserver."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any

import httpx

from orchestration.web.identity import Role
from orchestration.web.users import Users
from tests.orchestration.conftest import Home, at_home, edited_workflows
from tests.orchestration.web.browser import Browser
from tests.orchestration.web.test_ui import INSTANCE, free_port, running, wait_until

CUSTOMERS = "suiteprojects__customers"
PASSWORDS = {"ada": "correct horse battery", "vic": "staple paperclip lamp"}
SCRIPT, RIGHT_TO_LEFT, LONG = "<script>window.hacked=1</script><b>Bold</b>", "\u202eelgooG", "L" * 5000


@dataclass
class Console:
    """A running webserver on a home.

    Attributes:
        ids: NetSuite ids of what was prepared: script, rtl, long, phone, renamed, ambiguous.
        candidates: Target ids of the two records that the ambiguous one may be.
        first_run: The run that delivered everything.
    """

    home: Home
    address: str
    ids: dict[str, str]
    candidates: tuple[str, str]
    first_run: str
    log: Path

    def plan(self, state: str = "waiting") -> str:
        """Return the newest plan of the customers in a state."""
        found = self.rows("select plan_id from sync_plans where state = ? order by position desc", state)
        assert found, (state, self.rows("select plan_id, state, note from sync_plans"))
        return str(found[0]["plan_id"])

    def rows(self, query: str, *values: str) -> list[dict[str, Any]]:
        """Return rows of the warehouse."""
        return self.home.warehouse.read(query, list(values)).to_dicts()

    def customer(self, name: str) -> dict[str, Any]:
        """Return the target's record of a prepared customer."""
        (found,) = [
            row for row in self.home.sandbox.suiteprojects.rows("Customer") if row.get("externalid") == self.ids[name]
        ]
        return found

    def sign_in(self, browser: Browser, user: str, path: str = "/console/") -> None:
        """Sign a user in with the form, and open a page."""
        browser.send("Network.clearBrowserCookies")
        browser.open(f"{self.address}/sign-in?next={path}")
        browser.type("#user", user)
        browser.type("#password", PASSWORDS[user])
        browser.click("Sign in")
        browser.read("Held back")

    @contextmanager
    def client(self, user: str) -> Iterator[httpx.Client]:
        """Give a client that is signed in and sends forms as the server's own pages do."""
        with httpx.Client(base_url=self.address, headers={"Origin": self.address}, timeout=60) as made:
            signed = made.post("/sign-in", data={"user": user, "password": PASSWORDS[user]})
            assert signed.status_code == httpx.codes.SEE_OTHER, signed.text
            yield made


def guarded(text: str) -> str:
    """Return the customers' file with a guard that allows two updates."""
    return re.sub(r"guards:\n", "guards:\n    update: {percent: 0, rows: 2}\n", text)


def prepare(home: Home) -> tuple[dict[str, str], tuple[str, str]]:
    """Change NetSuite after the first run, and plan; return Console.ids and Console.candidates."""
    linked = home.warehouse.read(
        "select source_id from sync_links join stg_netsuite__customers on customer_id = source_id where workflow = ?"
        " and source = 'customers' and payload_hash is not null and company_name is not null"
        " order by try_cast(source_id as bigint) limit 5",
        [CUSTOMERS],
    )["source_id"].to_list()
    left_out = home.warehouse.read(
        "select source_id, entity_number from sync_decisions join stg_netsuite__customers on customer_id = source_id"
        " where workflow = ? and to_run is null and source = 'customers' and reason_code = 'flag_not_set'"
        " order by try_cast(source_id as bigint) limit 1",
        [CUSTOMERS],
    ).row(0)
    ids = dict(zip(("script", "rtl", "long", "phone", "renamed"), linked, strict=True)) | {"ambiguous": left_out[0]}
    home.sandbox.clock.sleep(3600)
    update, target = home.sandbox.netsuite.update, home.sandbox.suiteprojects
    update("customer", int(ids["script"]), companyname=SCRIPT)
    update("customer", int(ids["rtl"]), companyname=RIGHT_TO_LEFT)
    update("customer", int(ids["long"]), companyname=LONG)
    update("customer", int(ids["phone"]), phone="+46 8 123 45")
    update("customer", int(ids["renamed"]), companyname="Renamed AB", phone="+46 8 999")
    update("customer", int(ids["ambiguous"]), custentity_oa_export_to_openair=True)
    candidates = [str(target.add("Customer", name=each)) for each in (left_out[1].upper(), left_out[1].lower())]
    home.run(f"{CUSTOMERS}__plan")
    return ids, (candidates[0], candidates[1])


Prepare = Callable[[Home], tuple[dict[str, str], tuple[str, str]]]  # returns Console.ids and Console.candidates


@contextmanager
def console_of(synced_home: Path, folder: Path, prepare: Prepare = prepare) -> Iterator[Console]:
    """Serve the console on a prepared copy of a home, with the users ada (approver) and vic (viewer)."""
    copytree(synced_home, folder / "home")
    dagster, port = folder / "dagster", free_port()
    dagster.mkdir()
    (dagster / "dagster.yaml").write_text(INSTANCE)
    with at_home(folder / "home") as home, edited_workflows(folder / "workflows", **{CUSTOMERS: guarded}) as workflows:
        first_run = home.warehouse.read("select run_id from sync_runs where created > 0 limit 1")["run_id"][0]
        ids, candidates = prepare(home)
        users = Users(home.folder / "users.json")
        users.add("ada", Role.APPROVER, PASSWORDS["ada"])
        users.add("vic", Role.VIEWER, PASSWORDS["vic"])
        command = [sys.executable, "-m", "orchestration.web.webserver", "127.0.0.1", str(port)]
        variables = {"DAGSTER_HOME": str(dagster), "MILLPOND_WORKFLOWS": str(workflows), "POLARS_MAX_THREADS": "1"}
        log = folder / "log"
        with running(command, log, **variables) as server, httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
            wait_until(lambda: is_served(http) or server.poll() is not None, 120, "the webserver does not respond")
            assert server.poll() is None, log.read_text()[-2000:]
            yield Console(home, f"http://127.0.0.1:{port}", ids, candidates, first_run, log)


def is_served(http: httpx.Client) -> bool:
    """Return whether the sign-in responds."""
    try:
        return http.get("/sign-in").is_success
    except httpx.HTTPError:
        return False
