"""The script that tells of saved records: what it posts is what the webhook takes, and no save fails for it."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from starlette.testclient import TestClient

from orchestration.realtime.queue import Hints
from orchestration.realtime.webhook import DELETED, SOURCES, Gate, Webhook
from orchestration.settings import ROOT
from resources.netsuite.webhook_signature import NONCE, PATH, SIGNATURE, TIMESTAMP, matches

PROJECT = ROOT / "resources" / "netsuite" / "suitescript" / "src"
SCRIPT = PROJECT / "FileCabinet" / "SuiteScripts" / "millpond" / "millpond_hint.js"
OBJECT = PROJECT / "Objects" / "customscript_millpond_hint.xml"
NODE = shutil.which("node")
SECRET = "the text of the API secret, of some length"
URL = f"https://hooks.example.com{PATH}"
# NetSuite's modules as far as the script uses them: its secrets are known by their script ids alone
STAGE = """
const node = require('crypto');
const said = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const posts = [], errors = [];
const secretOf = (id) => {
  if (id !== 'custsecret_millpond_hint') throw new Error('no secret ' + id);
  return said.secret;
};
const modules = {
  'N/crypto': {
    HashAlg: { SHA256: 'sha256' },
    createSecretKey: ({ secret }) => ({ secret }),
    createHmac: ({ algorithm, key }) => {
      const hmac = node.createHmac(algorithm, secretOf(key.secret));
      return { update: ({ input }) => hmac.update(input, 'utf8'), digest: () => hmac.digest('hex').toUpperCase() };
    },
  },
  'N/crypto/random': { generateUUID: () => node.randomUUID() },
  'N/encode': { Encoding: { UTF_8: 'UTF_8', HEX: 'HEX' } },
  'N/https': { post: (call) => {
    if (said.answer === 0) throw new Error('SSS_REQUEST_TIME_EXCEEDED');
    posts.push(call);
    return { code: said.answer };
  } },
  'N/log': { error: (text) => errors.push(text.details) },
  'N/runtime': {
    executionContext: said.context, accountId: '1234567_SB1',
    getCurrentScript: () => ({ getParameter: ({ name }) => said.parameters[name] }),
  },
};
let script;
global.define = (names, make) => { script = make(...names.map((name) => modules[name])); };
require(said.script);
const UserEventType = { CREATE: 'create', EDIT: 'edit', XEDIT: 'xedit', DELETE: 'delete' };
for (const [type, kind, id] of said.saves) {
  const record = Object.freeze({ type: kind, id });
  const [newRecord, oldRecord] = type === 'delete' ? [null, record] : [record, null];
  script.afterSubmit({ type, newRecord, oldRecord, UserEventType });
}
console.log(JSON.stringify({ posts, errors, points: Object.keys(script) }));
"""


def saved(*saves: tuple[str, str, int | None], **said: Any) -> dict[str, Any]:
    """What the script does after these saves: event, type and id of each."""
    if NODE is None:
        pytest.skip("node is not installed")
    told = {"custscript_millpond_hint_url": URL, "custscript_millpond_hint_secret": "custsecret_millpond_hint"}
    asked = {"context": "USERINTERFACE", "answer": 202, "secret": SECRET, "script": str(SCRIPT), **said}
    asked |= {"saves": saves, "parameters": told | said.get("parameters", {})}
    done = subprocess.run(
        [NODE, "-e", STAGE], input=json.dumps(asked), capture_output=True, text=True, check=True, timeout=60
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def said_of(told: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Type, id and event of each post."""
    bodies = [json.loads(each["body"]) for each in told["posts"]]
    return [(body["type"], body["id"], body["event"]) for body in bodies]


def test_each_save_is_told_by_type_id_and_event_alone() -> None:
    """Customers in all three stages, projects, contacts; of a deleted record the old one, of an inline edit the id."""
    told = saved(
        ("create", "customer", 1), ("edit", "lead", 2), ("xedit", "prospect", 3), ("delete", "job", 4),
        ("edit", "contact", 5),
    )  # fmt: skip

    assert said_of(told) == [
        ("customer", "1", "create"), ("lead", "2", "edit"), ("prospect", "3", "xedit"), ("job", "4", "delete"),
        ("contact", "5", "edit"),
    ]  # fmt: skip
    assert {frozenset(json.loads(each["body"])) for each in told["posts"]} == {
        frozenset({"account", "type", "id", "event", "context"})
    }
    assert told["errors"] == []


def test_the_webhook_takes_what_the_script_signs(tmp_path: Path) -> None:
    """The same bytes, time stamp and nonce on both sides; another secret would not do."""
    told = saved(("edit", "lead", 2), ("delete", "job", 4))
    gate = Gate([SECRET], frozenset({"hooks.example.com"}), account="1234567_SB1")
    client = TestClient(Webhook(gate, Hints(tmp_path)).app(), base_url="https://hooks.example.com")

    answers = [client.post(PATH, content=each["body"].encode(), headers=each["headers"]) for each in told["posts"]]

    assert [answer.status_code for answer in answers] == [202, 202]
    due = Hints(tmp_path).due(["any"])["any"]
    assert [(each.source, each.record_id, each.is_deleted) for each in due] == [
        ("customers", "2", False),
        ("projects", "4", True),
    ]
    headers = {name.lower(): value for name, value in told["posts"][0]["headers"].items()}
    assert headers.keys() >= {TIMESTAMP, NONCE, SIGNATURE}
    assert not matches(["another secret"], headers, told["posts"][0]["body"].encode())


@pytest.mark.parametrize(
    ("context", "parameter"),
    [
        ("WEBSERVICES", "custscript_millpond_hint_soap"),
        ("RESTWEBSERVICES", "custscript_millpond_hint_rest"),
        ("RESTLET", "custscript_millpond_hint_restlet"),
    ],
)
def test_saves_by_programs_are_told_where_the_deployment_says_so(context: str, parameter: str) -> None:
    """Each way in has a check box of its own; ticked is true or T."""
    asked = [saved(("edit", "customer", 1), context=context, parameters={parameter: box}) for box in (True, "T", "F")]

    assert [len(told["posts"]) for told in asked] == [1, 1, 0]
    assert saved(("edit", "customer", 1), context=context)["posts"] == []


@pytest.mark.parametrize("context", ["CSVIMPORT", "SCHEDULED", "MAPREDUCE", "WORKFLOW", "CUSTOMMASSUPDATE", ""])
def test_saves_by_the_thousand_are_left_to_the_ordinary_run(context: str) -> None:
    """An import of records would be as many posts; what changed is asked for anyway."""
    assert saved(("edit", "customer", 1), context=context)["posts"] == []


@pytest.mark.parametrize("save", [("edit", "invoice", 1), ("edit", "customer", None)])
def test_what_is_no_record_of_ours_is_not_told(save: tuple[str, str, int | None]) -> None:
    """Another type, or no id."""
    assert saved(save) == {"posts": [], "errors": [], "points": ["afterSubmit"]}


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"answer": 0}, "SSS_REQUEST_TIME_EXCEEDED"),
        ({"answer": 401}, "answered with 401"),
        ({"answer": 503}, "answered with 503"),
        ({"parameters": {"custscript_millpond_hint_url": ""}}, "the parameter custscript_millpond_hint_url is empty"),
        ({"parameters": {"custscript_millpond_hint_secret": "custsecret_gone"}}, "no secret custsecret_gone"),
    ],
)
def test_no_save_fails_for_it(said: dict[str, Any], error: str) -> None:
    """Each error is logged and nothing is thrown; the next save is told as if nothing had been."""
    told = saved(("edit", "customer", 1), **said)

    assert told["errors"] == [error]


def test_the_script_writes_nothing_and_knows_no_secret() -> None:
    """One entry point after the save, no module that could change a record, and a secret by its name only."""
    text = SCRIPT.read_text()

    modules = {"N/crypto", "N/crypto/random", "N/encode", "N/https", "N/log", "N/runtime"}
    assert set(re.findall(r"'(N/[\w/]+)'", text)) == modules
    assert not re.search(r"\.(setValue|save|submitFields|submit|delete)\(", text)
    assert "@NApiVersion 2.1" in text
    assert "return { afterSubmit };" in text
    assert "throw" not in text[text.index("const afterSubmit") :]


def test_its_deployments_are_the_records_that_the_webhook_follows() -> None:
    """SDF says PROJECT where SuiteScript says job; each context that the script knows is deployed."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    root = etree.fromstring(OBJECT.read_bytes(), parser)

    types = {str(each.text).lower().replace("project", "job") for each in root.iter("recordtype")}
    assert types == SOURCES.keys()
    contexts = {str(each.text) for each in root.iter("executioncontext")}
    assert contexts == {"RESTLET|RESTWEBSERVICES|USERINTERFACE|WEBSERVICES"}
    assert {each.text for each in root.iter("status")} == {"RELEASED"}
    assert DELETED in SCRIPT.read_text().lower()
