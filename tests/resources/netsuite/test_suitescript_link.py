"""The script that shows the link on NetSuite's form: it runs, escapes and writes to no record."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from orchestration.configuration.settings import ROOT

PROJECT = ROOT / "resources" / "netsuite" / "suitescript" / "src"
SCRIPT = PROJECT / "FileCabinet" / "SuiteScripts" / "millpond" / "millpond_link.js"
NODE = shutil.which("node")
# the part of NetSuite's modules that the script uses, and a form that records the added fields
RUNNER = """
const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const added = [], errors = [];
let loads = 0;
const cache = {};
const modules = {
  'N/cache': { Scope: { PRIVATE: 'PRIVATE' }, getCache: () => ({ get: ({ key, loader }) => cache[key] ??= loader() }) },
  'N/file': { load: ({ id }) => {
    loads += 1;
    if (id !== 'links.csv') throw new Error('no file ' + id);
    return { lines: { iterator: () => ({ each: (f) => given.lines.every((value) => f({ value })) }) } };
  } },
  'N/log': { error: (text) => errors.push(text.details) },
  'N/runtime': {
    executionContext: given.context, ContextType: { USER_INTERFACE: 'USERINTERFACE' },
    getCurrentScript: () => ({ getParameter: () => given.file }),
  },
  'N/ui/serverWidget': { FieldType: { INLINEHTML: 'INLINEHTML' } },
};
let script;
global.define = (names, make) => { script = make(...names.map((name) => modules[name])); };
require(given.script);
for (const newRecord of given.records) {
  const form = { addField: (field) => { added.push(field); return field; } };
  const UserEventType = { VIEW: 'view', EDIT: 'edit' };
  script.beforeLoad({ newRecord: Object.freeze(newRecord), type: given.type, form, UserEventType });
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


def drawn(*records: tuple[str, int | None], **given: Any) -> dict[str, Any]:
    """Run the script on the forms of these records; return the added fields and logged errors."""
    if NODE is None:
        pytest.skip("node is not installed")
    inputs = {"lines": LINES, "file": "links.csv", "type": "view", "context": "USERINTERFACE", "script": str(SCRIPT)}
    inputs |= {"records": [{"type": kind, "id": number} for kind, number in records], **given}
    done = subprocess.run(
        [NODE, "-e", RUNNER], input=json.dumps(inputs), capture_output=True, text=True, check=True, timeout=60
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_a_linked_record_shows_its_link() -> None:
    """Customer, lead and prospect are one record; a project with the same id is another."""
    result = drawn(("customer", 7), ("prospect", 7), ("lead", 900), ("job", 7))

    links = [re.findall(r'href="([^"]*)"', each["defaultValue"])[0] for each in result["added"]]
    assert links == [
        "https://a.example/?t=customer&#38;id=301",
        "https://a.example/?t=customer&#38;id=301",
        "https://a.example/?id=305",
        "https://a.example/?t=project&#38;id=401",
    ]
    assert {(each["type"], each["label"]) for each in result["added"]} == {("INLINEHTML", "SuiteProjects Pro")}
    assert result["loads"] == 3  # one per bucket of ids
    assert result["errors"] == []


def test_the_content_of_the_file_is_escaped() -> None:
    """Quotes cannot end the attribute, and only a web address becomes a link."""
    result = drawn(("customer", 8), ("customer", 9))

    assert len(result["added"]) == 1
    assert 'href="https://a.example/?x=&#34;1&#34;,2&#38;id=302"' in result["added"][0]["defaultValue"]


@pytest.mark.parametrize(
    ("record", "given"),
    [
        (("customer", 11), {}),
        (("customer", 10), {}),
        (("customer", None), {}),
        (("invoice", 7), {}),
        (("customer", 7), {"type": "create"}),
        (("customer", 7), {"context": "CSVIMPORT"}),
    ],
)
def test_other_forms_are_unchanged(record: tuple[str, int | None], given: dict[str, Any]) -> None:
    """Not linked, linked to another system, not saved yet, another type, another context."""
    assert drawn(record, **given)["added"] == []


def test_a_missing_file_leaves_the_form_unchanged() -> None:
    """The error is logged; the form is shown."""
    result = drawn(("customer", 7), file="gone.csv")

    assert (result["added"], result["errors"]) == ([], ["no file gone.csv"])


def test_the_script_writes_no_record() -> None:
    """One entry point, and no module that can write a record."""
    text = SCRIPT.read_text()

    assert set(re.findall(r"'(N/[\w/]+)'", text)) == {"N/cache", "N/file", "N/log", "N/runtime", "N/ui/serverWidget"}
    assert not re.search(r"\.(setValue|save|submitFields|submit)\(", text)
    assert "@NApiVersion 2.1" in text
    assert "return { beforeLoad };" in text


@pytest.mark.parametrize("path", sorted(PROJECT.rglob("*.xml")), ids=lambda path: path.name)
def test_the_project_is_well_formed(path: Path) -> None:
    """The files and parameters that it names exist; NetSuite limits script ids to 40 characters."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    root = etree.fromstring(path.read_bytes(), parser)

    assert all(len(str(each.get("scriptid"))) <= 40 for each in root.iter() if each.get("scriptid"))
    if root.tag == "usereventscript":
        assert root.get("scriptid") == path.stem
        file = (root.findtext("scriptfile") or "").strip("[]")
        script = PROJECT / "FileCabinet" / file.lstrip("/")
        assert script.stem == path.stem.removeprefix("customscript_")
        parameters = root.findall("scriptcustomfields/scriptcustomfield")
        assert parameters
        assert all(f"'{each.get('scriptid')}'" in script.read_text() for each in parameters)
        assert [each.text for each in root.iter("recordtype")] == ["CUSTOMER", "LEAD", "PROSPECT", "PROJECT", "CONTACT"]
