"""Roles over HTTP, against the web server as it is served: what a viewer, an operator and an approver can do."""

import json
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_graphql.schema import create_schema
from websockets.exceptions import ConnectionClosed

from assets.delivery.spec.switches import Switches
from orchestration.authorization import USER_TAG
from orchestration.automation.groups import OPERATOR_JOBS
from orchestration.realtime.sensor import BURST_TAG
from orchestration.web.dagster_guard import FORCED, RUN_MUTATIONS
from orchestration.web.identity import Role
from orchestration.web.webserver import MAX_CONNECTIONS
from tests.orchestration.web.browser import open_browser
from tests.orchestration.web.people_server import (
    HEADER,
    PASSWORD,
    PEOPLE,
    PROXY,
    TOKEN,
    Server,
    Visitor,
    people_server,
)
from tests.orchestration.web.test_ui import INSTANCE, wait_until

PLACE = {"repositoryName": "__repository__", "repositoryLocationName": "millpond"}
RUN_JOB = "maintenance"
ONE_RUN = "__typename ... on LaunchRunSuccess { run { runId tags { key value } } } ... on UnauthorizedError { message }"
APPLY = {"apply": {"config": {"plan_id": "x", "reason": "y"}}}
CONFIG: dict[str, dict[str, Any]] = {
    "apply_plan": APPLY,
    "undo_run": {"undo": {"config": {"run": "x", "reason": "y"}}},
    "link_record": {"link": {"config": {"workflow": "w", "source": "customers", "source_id": "1"}}},
    "ignore_records": {"ignore": {"config": {"workflow": "w", "source": "customers", "reason": "r"}}},
    "forget_record": {"forget": {"config": {"source": "contacts", "source_id": "1", "reason": "r"}}},
    "unlink_record": {"unlink": {"config": {"workflow": "w", "source": "customers", "source_id": "1"}}},
    "resend_record": {"resend": {"config": {"workflow": "w", "source": "customers", "source_id": "1", "reason": "y"}}},
    "reject_plan": {"reject": {"config": {"plan_id": "x", "reason": "y"}}},
    "activate_workflow": {"activate": {"config": {"workflow": "suiteprojects__customers"}}},
    "deactivate_workflow": {"deactivate": {"config": {"workflow": "suiteprojects__customers"}}},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server, with everyone signed in."""
    with people_server(tmp_path_factory.mktemp("home")) as served, ExitStack() as stack:
        for name in PEOPLE:
            served.visitors[name] = stack.enter_context(served.visitor())
            assert served.visitors[name].sign_in(name, PASSWORD.format(name)).status_code == 303
        yield served


@pytest.fixture
def ada(server: Server) -> Visitor:
    """An approver."""
    return server.visitors["ada"]


@pytest.fixture
def olga(server: Server) -> Visitor:
    """An operator."""
    return server.visitors["olga"]


@pytest.fixture
def vic(server: Server) -> Visitor:
    """A viewer."""
    return server.visitors["vic"]


def execution(job: str, tags: dict[str, str] | None = None, **config: Any) -> dict[str, Any]:
    """Return the parameters of a launch."""
    given = [{"key": key, "value": value} for key, value in (tags or {}).items()]
    return {
        "selector": {**PLACE, "jobName": job},
        "runConfigData": config or {"ops": CONFIG.get(job, {})},
        "mode": "default",
        "executionMetadata": {"tags": given},
    }


def launch(visitor: Visitor, job: str, tags: dict[str, str] | None = None, **config: Any) -> dict[str, Any]:
    """Launch a job as the UI does, and return the result."""
    query = f"mutation L($p: ExecutionParams!) {{ launchRun(executionParams: $p) {{ {ONE_RUN} }} }}"
    result: dict[str, Any] = visitor.graphql(query, p=execution(job, tags, **config)).json()["data"]["launchRun"]
    return result


def tags_of(result: dict[str, Any]) -> dict[str, str]:
    """Return the tags of a launched run."""
    assert result["__typename"] == "LaunchRunSuccess", result
    return {each["key"]: each["value"] for each in result["run"]["tags"]}


# --- mutations ------------------------------------------------------------------------------------------------------


def sample(kind: Any) -> str:
    """Return a literal of an input type, with what is required alone."""
    name = type(kind).__name__
    if name == "GraphQLNonNull":
        return sample(kind.of_type)
    if name == "GraphQLList":
        return f"[{sample(kind.of_type)}]"
    if name.endswith("EnumType"):
        return str(next(iter(kind.values)))
    if name.endswith("InputObjectType"):
        required = {each: field for each, field in kind.fields.items() if type(field.type).__name__ == "GraphQLNonNull"}
        return f"{{{', '.join(f'{each}: {sample(field.type)}' for each, field in required.items())}}}"
    return {"Int": "1", "Float": "1", "Boolean": "true"}.get(kind.name, '"{}"')


def every_mutation() -> dict[str, str]:
    """Return a document of each mutation that this Dagster has."""
    schema = create_schema().graphql_schema
    found = {}
    for name, each in schema.mutation_type.fields.items():
        arguments = ", ".join(f"{key}: {sample(value.type)}" for key, value in each.args.items())
        output = getattr(each.type, "of_type", each.type)
        fields = "" if type(output).__name__.endswith("ScalarType") else " { __typename }"
        found[name] = f"mutation {{ {name}{f'({arguments})' if arguments else ''}{fields} }}"
    return found


def test_a_viewer_may_use_no_mutation_and_an_operator_the_listed_ones(vic: Visitor, olga: Visitor) -> None:
    """Of all that Dagster has: one that a later version adds is for approvers until it is listed."""
    documents = every_mutation()

    assert len(documents) > 40
    assert set(documents) >= RUN_MUTATIONS
    for visitor, allowed in ((vic, frozenset[str]()), (olga, RUN_MUTATIONS)):
        for name in documents.keys() - allowed:
            response = visitor.graphql(documents[name])
            assert response.status_code == 403, (name, response.text)
            assert f"may not use {name}" in response.json()["errors"][0]["message"]
            assert "errorInfo" not in response.text


FORMS = {
    "alias": "mutation { reading: setNuxSeen }",
    "inline fragment": "mutation { ... on Mutation { setNuxSeen } }",
    "fragment": "mutation { ...F } fragment F on Mutation { setNuxSeen }",
    "directive": "mutation { setNuxSeen @include(if: true) }",
    "comment": "# query\nmutation{setNuxSeen}",
}


@pytest.mark.parametrize("query", FORMS.values(), ids=FORMS.keys())
def test_a_mutation_is_recognized_in_every_form(vic: Visitor, olga: Visitor, query: str) -> None:
    """Whatever GraphQL's parser makes of it is checked when it is resolved."""
    assert vic.graphql(query).status_code == 403
    assert olga.graphql(query).status_code == 200


def test_a_mutation_is_recognized_in_every_body(vic: Visitor) -> None:
    """One of several operations, plain GraphQL, the query of the address, a list of requests, GET."""
    mutation = FORMS["alias"]
    several = {"query": f"query Q {{ version }} {mutation.replace('mutation', 'mutation M')}", "operationName": "M"}
    post = vic.http.post

    assert post("/graphql", json=several).status_code == 403
    assert post("/graphql", content=mutation, headers={"Content-Type": "application/graphql"}).status_code == 403
    assert post("/graphql", params={"query": mutation}, content=b"").status_code == 403
    assert post("/graphql", json=[{"query": mutation}]).status_code == 400
    assert vic.http.get("/graphql", params={"query": mutation}).status_code == 405
    assert post("/graphql", json={**several, "operationName": "Q"}).json()["data"].keys() == {"version"}


@pytest.mark.parametrize(
    "body",
    [
        '{"query": 1}', '{"query": "{version}", "variables": [1]}', '{"query": "{version}", "variables": "x"}',
        '{"query": "{version}", "operationName": 5}', "[" * 100_000, "[]", "null",
    ],
    ids=lambda body: body[:40],
)  # fmt: skip
def test_graphql_of_the_wrong_types_is_refused(vic: Visitor, body: str) -> None:
    """Dagster would log a traceback and answer 500."""
    assert vic.http.post("/graphql", content=body, headers={"Content-Type": "application/json"}).status_code == 400


@pytest.mark.parametrize("path", ["/logs/x", "/logs/%00", "/download_debug/x", "/download_debug/%ff"])
def test_a_file_that_dagster_does_not_have_is_not_found(vic: Visitor, path: str) -> None:
    """Dagster would log a traceback and answer 500."""
    assert vic.http.get(path).status_code == 404


def test_a_report_of_an_asset_that_is_no_json_is_refused(ada: Visitor) -> None:
    """Dagster would log a traceback and answer 500."""
    for kind in ("materialization", "check", "observation"):
        posted = ada.http.post(f"/report_asset_{kind}/x", content="{", headers={"Content-Type": "application/json"})
        assert posted.status_code == 400, kind


def test_a_web_socket_starts_no_mutation(server: Server, olga: Visitor) -> None:
    """Subscriptions only, whatever the role: Dagster's executor of subscriptions must not reach mutations."""
    before = len(server.runs())
    for query in (FORMS["alias"], "mutation { __typename launchRun(executionParams: {selector: {}}) { __typename } }"):
        with server.web_socket(olga.session()) as socket:
            socket.send(json.dumps({"type": "start", "id": "1", "payload": {"query": query}}))
            try:
                replies = [json.loads(socket.recv(timeout=5)) for _ in range(2)]
            except ConnectionClosed:
                replies = []
            assert not any(each.get("type") == "data" and each["payload"].get("data") for each in replies), replies
    assert len(server.runs()) == before


def test_a_query_that_runs_code_is_for_approvers(vic: Visitor, olga: Visitor, ada: Visitor) -> None:
    """A viewer could otherwise have a sensor send alerts, or mark notifications as done, by reading its next tick.

    Sensors have ticks of the same type once they are started.
    """
    query = """query E($r: RepositorySelector!) { schedulesOrError(repositorySelector: $r) { ... on Schedules {
        results { name futureTick(tickTimestamp: 1800000000) { evaluationResult { error { message } } } } } } }"""
    for visitor in (vic, olga):
        response = visitor.graphql(query, r=PLACE).json()
        assert "may not use evaluationResult" in response["errors"][0]["message"]
        ticks = [each["futureTick"] for each in response["data"]["schedulesOrError"]["results"]]
        assert ticks, "no schedule to try"
        assert {each["evaluationResult"] for each in ticks} == {None}
    assert "errors" not in ada.graphql(query, r=PLACE).json()


def test_dagsters_other_forms_are_for_approvers(vic: Visitor, olga: Visitor, ada: Visitor) -> None:
    """They report that an asset was materialized, or a check passed, though no run says so."""
    for path in ("report_asset_materialization/x", "report_asset_check/x", "report_asset_observation/x"):
        for visitor in (vic, olga):
            assert visitor.http.post(f"/{path}", json={}).status_code == 403, path
    assert ada.http.post("/report_asset_observation/x", json={"description": "seen"}).status_code == 200


def test_the_ui_shows_what_the_role_may(vic: Visitor, olga: Visitor, ada: Visitor) -> None:
    """Buttons of the others are disabled."""
    query = "{ permissions { permission value } }"
    allowed = {
        name: {each["permission"] for each in visitor.graphql(query).json()["data"]["permissions"] if each["value"]}
        for name, visitor in {"vic": vic, "olga": olga, "ada": ada}.items()
    }

    assert allowed["vic"] == set()
    assert {"launch_pipeline_execution", "terminate_pipeline_execution"} <= allowed["olga"]
    assert not {"start_schedule", "edit_sensor", "wipe_assets", "delete_pipeline_run"} & allowed["olga"]
    assert allowed["ada"] > allowed["olga"]


# --- runs -----------------------------------------------------------------------------------------------------------


def test_a_run_has_the_name_of_whoever_launched_it(ada: Visitor, olga: Visitor) -> None:
    """A name that the request gives, or that the earlier run of a re-execution has, is replaced."""
    first = launch(ada, RUN_JOB, {USER_TAG: "root", BURST_TAG: "99", "millpond/launched_by": "cli", "ticket": "7"})
    forged = launch(olga, RUN_JOB, {USER_TAG: "ada"})
    again = olga.graphql(
        f"mutation R($p: ReexecutionParams!) {{ launchRunReexecution(reexecutionParams: $p) {{ {ONE_RUN} }} }}",
        p={
            "parentRunId": first["run"]["runId"], "strategy": "ALL_STEPS", "useParentRunTags": True,
            "extraTags": [{"key": USER_TAG, "value": "ada"}],
        },
    ).json()["data"]["launchRunReexecution"]  # fmt: skip

    assert (tags_of(first)[USER_TAG], tags_of(first)["ticket"]) == ("ada", "7")
    assert not {BURST_TAG, "millpond/launched_by"} & tags_of(first).keys(), "what our own processes act on"
    assert tags_of(forged)[USER_TAG] == "olga"
    assert tags_of(again)[USER_TAG] == "olga"


@pytest.mark.parametrize("job", OPERATOR_JOBS)
def test_an_operator_cannot_decide(server: Server, olga: Visitor, ada: Visitor, job: str) -> None:
    """By no launch: of literals, of variables, of several runs, and of an approver's run once more."""
    decided = launch(ada, job)
    run_id, before = decided["run"]["runId"], len(server.runs())
    several = f"mutation S($p: [ExecutionParams!]!) {{ launchMultipleRuns(executionParamsList: $p) {{\
        ... on LaunchMultipleRunsResult {{ launchMultipleRunsResult {{ {ONE_RUN} }} }} }} }}"
    place = f'{{repositoryName: "__repository__", repositoryLocationName: "millpond", jobName: "{job}"}}'
    config = json.dumps(json.dumps({"ops": CONFIG[job]}))
    literal = f'mutation {{ all: launchPipelineExecution(executionParams:\
        {{selector: {place}, runConfigData: {config}, mode: "default"}}) {{ {ONE_RUN} }} }}'
    parent = f'mutation {{ launchRunReexecution(reexecutionParams: {{parentRunId: "{run_id}", strategy: ALL_STEPS}})\
        {{ {ONE_RUN} }} }}'
    params = {**execution(job), "executionMetadata": {"parentRunId": run_id, "rootRunId": run_id, "tags": []}}
    again = f"mutation A($p: ExecutionParams!) {{ launchPipelineReexecution(executionParams: $p) {{ {ONE_RUN} }} }}"

    refusals = [
        json.dumps(launch(olga, job)),
        olga.graphql(literal).text,
        olga.graphql(several, p=[execution(RUN_JOB), execution(job)]).text,
        olga.graphql(parent).text,
        olga.graphql(again, p=params).text,
    ]

    assert tags_of(decided)[USER_TAG] == "ada"
    assert all(f"olga (operator) may not launch {job}" in each for each in refusals), refusals
    assert [each.job_name for each in server.runs()[:-before]] == [RUN_JOB]  # the other one of several


def test_an_operator_terminates_runs_and_cannot_mark_them_as_ended(olga: Visitor) -> None:
    """A run that is marked as ended may still be sending."""
    run_id = launch(olga, RUN_JOB)["run"]["runId"]
    query = "mutation T($id: String!, $how: TerminateRunPolicy) {\
        terminateRun(runId: $id, terminatePolicy: $how) { __typename } }"

    assert olga.graphql(query, id=run_id, how=FORCED).status_code == 403
    assert olga.graphql(query, id=run_id).json()["data"]["terminateRun"]["__typename"] == "TerminateRunSuccess"


def test_no_run_has_other_resources_than_those_of_the_settings(ada: Visitor, olga: Visitor) -> None:
    """An address of one's own would receive the credentials."""
    resources = {"precoro": {"config": {"base_url": "https://evil.example"}}}
    for visitor in (ada, olga):
        refused = launch(visitor, RUN_JOB, resources=resources)
        assert "resources and executor of a run come from the settings" in refused["message"]


@pytest.mark.long
def test_the_ledger_of_switches_has_the_name_of_the_web_servers_user(tmp_path: Path) -> None:
    """From the click to the process of the run, though a request and MILLPOND_APPROVERS name others."""
    workflow = "suiteprojects__customers"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_APPROVERS", "grace")
        with people_server(tmp_path, INSTANCE) as served, served.visitor() as ada:
            ada.sign_in("ada", PASSWORD.format("ada"))
            launch(
                ada, "deactivate_workflow", {USER_TAG: "olga"}, ops={"deactivate": {"config": {"workflow": workflow}}}
            )
            wait_until(lambda: served.runs()[0].is_finished, 120, "the run does not end")
            status = served.runs()[0].status
            overrides = Switches(served.folder / "warehouse").overrides()

    assert status == dg.DagsterRunStatus.SUCCESS
    assert (overrides[workflow].active, overrides[workflow].decided_by) == (False, "ada")


# --- people ---------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.browser
@pytest.mark.usefixtures("browser")
def test_a_person_signs_in_and_chooses_a_password(server: Server, tmp_path: Path) -> None:
    """In a browser: a one-time password, one's own, the page that was asked for; a viewer's switches are disabled."""
    made = server.users.add("eve", Role.VIEWER)
    with open_browser(tmp_path) as page:
        page.open(f"{server.address}/automation")
        page.read("User", "Password")
        page.type("#user", "Eve")
        page.type("#password", made)
        page.click("Sign in")
        page.read("Choose your own")
        page.type("#chosen", "chosen in a browser")
        page.screenshot("choose_password", 900, 700)
        page.click("Save and sign in")
        page.wait_for("document.querySelectorAll('input[type=checkbox]').length > 3", "the automations are not listed")

        assert page.js("location.pathname") == "/automation"
        page.screenshot("viewer", 1600, 1000)
        assert page.js("document.querySelectorAll('input:disabled').length") > 10, "the switches of the automations"
    server.users.remove("eve")


def test_the_token_is_off_once_there_are_users(server: Server) -> None:
    """Otherwise whoever has it would be no one in the ledger."""
    with server.visitor() as stranger:
        assert stranger.http.get("/runs", params={"token": TOKEN}).status_code == 401
        assert stranger.http.get("/runs", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 401
        assert stranger.http.post("/sign-in", data={"token": TOKEN}).status_code in {401, 429}
        assert not stranger.http.cookies


def test_a_forged_session_is_refused(server: Server, vic: Visitor, ada: Visitor) -> None:
    """Another name, time or number, a signature for something else, and the form of the token's session."""
    until, number, signature, name = vic.session().split(".")
    _, adas_number, adas_signature, adas_name = ada.session().split(".")
    begin = f"{until}.{number}"
    forged = [
        f"{begin}.{signature}.{adas_name}", f"{int(until) + 1}.{number}.{signature}.{name}", f"...{name}", "...", "",
        f"{until}.{adas_number}.{signature}.{name}", f"{begin}.{adas_signature}.{name}", f"{begin}.{signature}",
        f"{begin}.{'0' * 64}.{name}", f"{begin}..{name}", f"{begin}.{signature}.", f"{until}..{signature}.{name}",
        str(vic.http.cookies["millpond_device"]), f"{begin}.{signature}.{name}.{name}", f"{begin}.{signature}.\xe9",
    ]  # fmt: skip
    with server.visitor() as stranger:
        for each in forged:
            headers = {b"Cookie": f"millpond={each}".encode("latin-1"), b"Accept": b"text/plain"}
            assert stranger.http.get("/runs", headers=headers).status_code == 401, each


def test_a_removed_user_is_signed_out_at_once(server: Server) -> None:
    """Sessions and open web sockets end; so they do with a new password, while a role changes for them."""
    server.users.add("bob", Role.OPERATOR, PASSWORD.format("bob"))
    with server.visitor() as bob:
        bob.sign_in("bob", PASSWORD.format("bob"))
        mutation = FORMS["alias"]
        assert bob.graphql(mutation).status_code == 200
        server.users.set_role("bob", Role.VIEWER)
        assert bob.graphql(mutation).status_code == 403
        with server.web_socket(bob.session()) as socket:
            assert json.loads(socket.recv(timeout=10))["type"] == "connection_ack"
            server.users.remove("bob")
            socket.send(json.dumps({"type": "connection_init"}))
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=10)
        assert bob.http.get("/runs").status_code == 401
        assert bob.graphql("{ version }").status_code == 401
        server.users.add("bob", Role.VIEWER, PASSWORD.format("bob"))  # another person of that name
        assert bob.http.get("/runs").status_code == 401
        server.users.remove("bob")


def test_the_proxys_header_is_believed_from_its_address_only(server: Server) -> None:
    """With the role that the user has; never two names, none, or an unknown one."""
    with server.visitor() as stranger, server.visitor(PROXY) as proxy:
        for name in ("ada", "vic", "unknown-one"):
            forged = stranger.http.get("/runs", headers={HEADER: name})
            assert forged.status_code == 403, name
        assert stranger.http.get("/sign-in", headers={HEADER: "ada"}).status_code == 200
        assert not stranger.http.cookies
        assert proxy.http.get("/runs", headers={HEADER: "Ada"}).status_code == 200
        assert proxy.http.get("/runs").status_code == 401
        for wrong in ("unknown-one", "", "ada,vic", "../ada"):
            assert proxy.http.get("/runs", headers={HEADER: wrong}).status_code == 403, wrong
        assert proxy.http.get("/runs", headers=[(HEADER, "vic"), (HEADER, "ada")]).status_code == 403
        query = {"json": {"query": FORMS["alias"]}}
        assert proxy.http.post("/graphql", headers={HEADER: "vic"}, **query).status_code == 403
        assert proxy.http.post("/graphql", headers={HEADER: "olga"}, **query).status_code == 200
        foreign = {HEADER: "olga", "Origin": "https://evil.example"}
        assert proxy.http.post("/graphql", headers=foreign, **query).status_code == 403


@pytest.mark.long
def test_strangers_with_many_connections_keep_no_one_out(server: Server) -> None:
    """The first of theirs are closed; a sign-in and a page are answered meanwhile."""
    with ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            for _ in range(MAX_CONNECTIONS + 20)
        ]
        person = stack.enter_context(server.visitor())
        assert person.sign_in("vic", PASSWORD.format("vic")).status_code == 303
        assert person.http.get("/console/").status_code == 200
        wait_until(lambda: len(select.select(held, [], [], 5)[0]) >= 20, 30, "their connections stay open")
