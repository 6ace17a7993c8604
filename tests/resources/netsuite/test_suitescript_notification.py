"""The change notification script: the webhook accepts what it posts, and no save fails for it."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from starlette.testclient import TestClient

from orchestration.configuration.settings import ROOT
from orchestration.realtime.queue import NotificationQueue
from orchestration.realtime.webhook import DELETED, SOURCES, Gate, Webhook
from resources.netsuite.webhook_signature import NONCE, PATH, SIGNATURE, TIMESTAMP, is_signed_by

PROJECT = ROOT / "resources" / "netsuite" / "suitescript" / "src"
SCRIPT = PROJECT / "FileCabinet" / "SuiteScripts" / "millpond" / "millpond_notify.js"
OBJECT = PROJECT / "Objects" / "customscript_millpond_notify.xml"
NODE = shutil.which("node")
SECRET = "the text of the API secret, of some length"
URL = f"https://hooks.example.com{PATH}"
# the part of NetSuite's modules that the script uses; secrets are addressed by their script ids
RUNNER = """
const node = require('crypto');
const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const posts = [], errors = [];
const secretOf = (id) => {
  if (id !== 'custsecret_millpond_notify') throw new Error('no secret ' + id);
  return given.secret;
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
    if (given.answer === 0) throw new Error('SSS_REQUEST_TIME_EXCEEDED');
    posts.push(call);
    return { code: given.answer };
  } },
  'N/log': { error: (text) => errors.push(text.details) },
  'N/runtime': {
    executionContext: given.context, accountId: '1234567_SB1',
    getCurrentScript: () => ({ getParameter: ({ name }) => given.parameters[name] }),
  },
};
let script;
global.define = (names, make) => { script = make(...names.map((name) => modules[name])); };
require(given.script);
const UserEventType = { CREATE: 'create', EDIT: 'edit', XEDIT: 'xedit', DELETE: 'delete' };
for (const [type, kind, id] of given.saves) {
  const record = Object.freeze({ type: kind, id });
  const [newRecord, oldRecord] = type === 'delete' ? [null, record] : [record, null];
  script.afterSubmit({ type, newRecord, oldRecord, UserEventType });
}
console.log(JSON.stringify({ posts, errors, points: Object.keys(script) }));
"""


def saved(*saves: tuple[str, str, int | None], **given: Any) -> dict[str, Any]:
    """Run the script after these saves (event, type and id); return its requests and logged errors."""
    if NODE is None:
        pytest.skip("node is not installed")
    parameters = {
        "custscript_millpond_notify_url": URL,
        "custscript_millpond_notify_secret": "custsecret_millpond_notify",
    }
    inputs = {"context": "USERINTERFACE", "answer": 202, "secret": SECRET, "script": str(SCRIPT), **given}
    inputs |= {"saves": saves, "parameters": parameters | given.get("parameters", {})}
    done = subprocess.run(
        [NODE, "-e", RUNNER], input=json.dumps(inputs), capture_output=True, text=True, check=True, timeout=60
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def notifications_in(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return type, id and event of each request."""
    bodies = [json.loads(each["body"]) for each in result["posts"]]
    return [(body["type"], body["id"], body["event"]) for body in bodies]


def test_each_save_sends_type_id_and_event_only() -> None:
    """Customers in all three stages, projects, contacts; a deletion sends the old record, an inline edit the id."""
    result = saved(
        ("create", "customer", 1), ("edit", "lead", 2), ("xedit", "prospect", 3), ("delete", "job", 4),
        ("edit", "contact", 5),
    )  # fmt: skip

    assert notifications_in(result) == [
        ("customer", "1", "create"), ("lead", "2", "edit"), ("prospect", "3", "xedit"), ("job", "4", "delete"),
        ("contact", "5", "edit"),
    ]  # fmt: skip
    assert {frozenset(json.loads(each["body"])) for each in result["posts"]} == {
        frozenset({"account", "type", "id", "event", "context"})
    }
    assert result["errors"] == []


def test_the_webhook_accepts_what_the_script_signs(tmp_path: Path) -> None:
    """Both sides sign the same bytes, timestamp and nonce; another secret does not match."""
    result = saved(("edit", "lead", 2), ("delete", "job", 4))
    gate = Gate([SECRET], frozenset({"hooks.example.com"}), account="1234567_SB1")
    client = TestClient(Webhook(gate, NotificationQueue(tmp_path)).app(), base_url="https://hooks.example.com")

    answers = [client.post(PATH, content=each["body"].encode(), headers=each["headers"]) for each in result["posts"]]

    assert [answer.status_code for answer in answers] == [202, 202]
    due = NotificationQueue(tmp_path).due(["any"])["any"]
    assert [(each.source, each.record_id, each.is_deleted) for each in due] == [
        ("customers", "2", False),
        ("projects", "4", True),
    ]
    headers = {name.lower(): value for name, value in result["posts"][0]["headers"].items()}
    assert headers.keys() >= {TIMESTAMP, NONCE, SIGNATURE}
    assert not is_signed_by(["another secret"], headers, result["posts"][0]["body"].encode())


@pytest.mark.parametrize(
    ("context", "parameter"),
    [
        ("WEBSERVICES", "custscript_millpond_notify_soap"),
        ("RESTWEBSERVICES", "custscript_millpond_notify_rest"),
        ("RESTLET", "custscript_millpond_notify_restlet"),
    ],
)
def test_saves_by_programs_are_sent_if_their_box_is_ticked(context: str, parameter: str) -> None:
    """Each context has its own check box; ticked is true or T."""
    results = [saved(("edit", "customer", 1), context=context, parameters={parameter: box}) for box in (True, "T", "F")]

    assert [len(result["posts"]) for result in results] == [1, 1, 0]
    assert saved(("edit", "customer", 1), context=context)["posts"] == []


@pytest.mark.parametrize("context", ["CSVIMPORT", "SCHEDULED", "MAPREDUCE", "WORKFLOW", "CUSTOMMASSUPDATE", ""])
def test_bulk_saves_are_left_to_the_scheduled_run(context: str) -> None:
    """An import would send as many requests as records; scheduled runs find these changes anyway."""
    assert saved(("edit", "customer", 1), context=context)["posts"] == []


@pytest.mark.parametrize("save", [("edit", "invoice", 1), ("edit", "customer", None)])
def test_other_records_are_not_sent(save: tuple[str, str, int | None]) -> None:
    """Another record type, or a record without an id."""
    assert saved(save) == {"posts": [], "errors": [], "points": ["afterSubmit"]}


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"answer": 0}, "SSS_REQUEST_TIME_EXCEEDED"),
        ({"answer": 401}, "the webhook answered with 401"),
        ({"answer": 503}, "the webhook answered with 503"),
        (
            {"parameters": {"custscript_millpond_notify_url": ""}},
            "the parameter custscript_millpond_notify_url is empty",
        ),
        ({"parameters": {"custscript_millpond_notify_secret": "custsecret_gone"}}, "no secret custsecret_gone"),
    ],
)
def test_no_error_fails_the_save(given: dict[str, Any], error: str) -> None:
    """Each error is logged and nothing is thrown."""
    result = saved(("edit", "customer", 1), **given)

    assert result["errors"] == [error]


def test_the_script_writes_nothing_and_knows_no_secret() -> None:
    """One entry point after the save, no module that can change a record, the secret by its name only."""
    text = SCRIPT.read_text()

    modules = {"N/crypto", "N/crypto/random", "N/encode", "N/https", "N/log", "N/runtime"}
    assert set(re.findall(r"'(N/[\w/]+)'", text)) == modules
    assert not re.search(r"\.(setValue|save|submitFields|submit|delete)\(", text)
    assert "@NApiVersion 2.1" in text
    assert "return { afterSubmit };" in text
    assert "throw" not in text[text.index("const afterSubmit") :]


def test_its_deployments_are_the_record_types_of_the_webhook() -> None:
    """SDF writes PROJECT for SuiteScript's job; every context that the script handles is deployed."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    root = etree.fromstring(OBJECT.read_bytes(), parser)

    types = {str(each.text).lower().replace("project", "job") for each in root.iter("recordtype")}
    assert types == SOURCES.keys()
    contexts = {str(each.text) for each in root.iter("executioncontext")}
    assert contexts == {"RESTLET|RESTWEBSERVICES|USERINTERFACE|WEBSERVICES"}
    assert {each.text for each in root.iter("status")} == {"RELEASED"}
    assert DELETED in SCRIPT.read_text().lower()
