"""The script that shows the link on NetSuite's form: it runs, it escapes, it writes to no record."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from orchestration.settings import ROOT

PROJECT = ROOT / "resources" / "netsuite" / "suitescript" / "src"
SCRIPT = PROJECT / "FileCabinet" / "SuiteScripts" / "millpond" / "millpond_link.js"
NODE = shutil.which("node")
# NetSuite's modules as far as the script uses them, and a form that remembers what was added to it
STAGE = """
const said = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const added = [], errors = [];
let loads = 0;
const kept = {};
const modules = {
  'N/cache': { Scope: { PRIVATE: 'PRIVATE' }, getCache: () => ({ get: ({ key, loader }) => kept[key] ??= loader() }) },
  'N/file': { load: ({ id }) => {
    loads += 1;
    if (id !== 'links.csv') throw new Error('no file ' + id);
    return { lines: { iterator: () => ({ each: (f) => said.lines.every((value) => f({ value })) }) } };
  } },
  'N/log': { error: (text) => errors.push(text.details) },
  'N/runtime': {
    executionContext: said.context, ContextType: { USER_INTERFACE: 'USERINTERFACE' },
    getCurrentScript: () => ({ getParameter: () => said.file }),
  },
  'N/ui/serverWidget': { FieldType: { INLINEHTML: 'INLINEHTML' } },
};
let script;
global.define = (names, make) => { script = make(...names.map((name) => modules[name])); };
require(said.script);
for (const newRecord of said.records) {
  const form = { addField: (field) => { added.push(field); return field; } };
  const UserEventType = { VIEW: 'view', EDIT: 'edit' };
  script.beforeLoad({ newRecord: Object.freeze(newRecord), type: said.type, form, UserEventType });
}
console.log(JSON.stringify({ added, errors, loads, points: Object.keys(script) }));
"""
HEAD = "workflow,source,source_id,target,target_id,matched_by,confirmed_at,target_url"
LINES = [
    HEAD,
    "w,customers,7,suiteprojects.Customer,301,created,x,https://a.example/?t=customer&id=301",
    'w,customers,8,suiteprojects.Customer,302,created,x,"https://a.example/?x=""1"",2&id=302"',
    "w,customers,9,suiteprojects.Customer,303,created,x,javascript:alert(1)",
    "w,customers,10,precoro.Option,304,created,x,https://b.example/304",
    "w,projects,7,suiteprojects.Project,401,created,x,https://a.example/?t=project&id=401",
    "w,customers,900,suiteprojects.Customer,305,created,x,https://a.example/?id=305\r",
]


def shown(*records: tuple[str, int | None], **said: Any) -> dict[str, Any]:
    """What the script does to the forms of these records."""
    if NODE is None:
        pytest.skip("node is not installed")
    asked = {"lines": LINES, "file": "links.csv", "type": "view", "context": "USERINTERFACE", "script": str(SCRIPT)}
    asked |= {"records": [{"type": kind, "id": number} for kind, number in records], **said}
    done = subprocess.run(
        [NODE, "-e", STAGE], input=json.dumps(asked), capture_output=True, text=True, check=True, timeout=60
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_linked_record_shows_where_it_is() -> None:
    """As customer, lead or prospect it is one record; a project of the same id is another."""
    told = shown(("customer", 7), ("prospect", 7), ("lead", 900), ("job", 7))

    links = [re.findall(r'href="([^"]*)"', each["defaultValue"])[0] for each in told["added"]]
    assert links == [
        "https://a.example/?t=customer&#38;id=301",
        "https://a.example/?t=customer&#38;id=301",
        "https://a.example/?id=305",
        "https://a.example/?t=project&#38;id=401",
    ]
    assert {(each["type"], each["label"]) for each in told["added"]} == {("INLINEHTML", "SuiteProjects Pro")}
    assert told["loads"] == 3  # once for each bucket of ids
    assert told["errors"] == []


def test_what_the_file_says_stays_text() -> None:
    """Quotes cannot end the attribute, and nothing but a web address becomes a link."""
    told = shown(("customer", 8), ("customer", 9))

    assert len(told["added"]) == 1
    assert 'href="https://a.example/?x=&#34;1&#34;,2&#38;id=302"' in told["added"][0]["defaultValue"]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (("customer", 11), {}),
        (("customer", 10), {}),
        (("customer", None), {}),
        (("invoice", 7), {}),
        (("customer", 7), {"type": "create"}),
        (("customer", 7), {"context": "CSVIMPORT"}),
    ],
)
def test_other_forms_stay_as_they_are(record: tuple[str, int | None], said: dict[str, Any]) -> None:
    """Not linked, another system's, not saved yet, another type, another way in."""
    assert shown(record, **said)["added"] == []


def test_a_missing_file_leaves_the_form_alone() -> None:
    """It is logged; the person sees his form."""
    told = shown(("customer", 7), file="gone.csv")

    assert (told["added"], told["errors"]) == ([], ["no file gone.csv"])


def test_the_script_only_draws() -> None:
    """One entry point, and no module that could write a record."""
    text = SCRIPT.read_text()

    assert set(re.findall(r"'(N/[\w/]+)'", text)) == {"N/cache", "N/file", "N/log", "N/runtime", "N/ui/serverWidget"}
    assert not re.search(r"\.(setValue|save|submitFields|submit)\(", text)
    assert "@NApiVersion 2.1" in text
    assert "return { beforeLoad };" in text


@pytest.mark.parametrize("path", sorted(PROJECT.rglob("*.xml")), ids=lambda path: path.name)
def test_the_project_is_well_formed(path: Path) -> None:
    """And what it names is there."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    root = etree.fromstring(path.read_bytes(), parser)

    if root.tag == "usereventscript":
        assert root.get("scriptid") == path.stem
        file = (root.findtext("scriptfile") or "").strip("[]")
        script = PROJECT / "FileCabinet" / file.lstrip("/")
        assert script.stem == path.stem.removeprefix("customscript_")
        parameters = root.findall("scriptcustomfields/scriptcustomfield")
        assert parameters
        assert all(f"'{each.get('scriptid')}'" in script.read_text() for each in parameters)
        assert [each.text for each in root.iter("recordtype")] == ["CUSTOMER", "LEAD", "PROSPECT", "PROJECT", "CONTACT"]
