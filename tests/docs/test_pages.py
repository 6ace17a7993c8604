"""The guide is true: its links, headings, pictures and navigation exist; its generated pages are current."""

import re
from pathlib import Path

import pytest
import yaml

from assets.delivery.component.workflow_file import load_workflow
from assets.delivery.spec.yaml_file import PlainLoader
from assets.netsuite.record_types import RECORD_TYPES
from orchestration.alerts.conditions import Kind
from orchestration.alerts.texts import ALERTS
from orchestration.configuration.known_names import DEPLOYMENT
from orchestration.configuration.settings import ROOT
from orchestration.guide.error_texts import FIXES
from orchestration.guide.reasons_reference import error_classes
from orchestration.guide.reference import PAGES
from orchestration.guide.settings_reference import DEPLOYMENT as DOCUMENTED
from orchestration.guide.site import site_text
from orchestration.guide.workflow_examples import EXAMPLES, OPTIONS
from orchestration.guide.workflow_reference import MODELS, keys, minimal
from sql import names
from tests.docs.pages import anchors, links, pages, site_pages, text_of, without_code

# modules that are spelled like a table
NO_TABLES = frozenset({"sync_records", "sync_pending"})


@pytest.mark.parametrize("page", pages(), ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    """To a file, and to a heading on it."""
    broken = []
    for link in links(text_of(page)):
        aim = (ROOT / page.parent / link.aim).resolve() if link.aim else ROOT / page
        if not aim.exists():
            broken.append(link.aim)
        elif link.anchor and aim.suffix == ".md" and link.anchor not in anchors(aim.read_text(encoding="utf-8")):
            broken.append(f"{link.aim}#{link.anchor}")

    assert broken == []


@pytest.mark.parametrize("page", pages(), ids=str)
def test_a_page_reads_the_same_on_the_site(page: Path) -> None:
    """Lists and tables begin after a blank line, what is within an item by four spaces, and headings differ."""
    text = without_code(text_of(page))
    headings = re.findall(r"^#{1,6} +(.+)$", text, re.MULTILINE)
    glued = re.findall(r"^(?![-*] |\d+\. |\s|\||>|#)(.+)\n(?:[-*]|1\.) ", text, re.MULTILINE)
    tables = re.findall(r"^(?!\|)(.*\S.*)\n\|", text, re.MULTILINE)
    inner = re.findall(r"^ {1,3}[-*] .*$|(?<=\n\n) {1,3}\S.*$", text, re.MULTILINE)
    inner += re.findall(r"^ {1,3}(?:```|~~~)\w*$", text_of(page), re.MULTILINE)

    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    assert (glued, tables, inner) == ([], [], [])
    assert [each for each in headings if headings.count(each) > 1] == []


def test_the_navigation_has_every_page() -> None:
    """A page that is not in it would be found by search alone."""
    below = {str(page.relative_to("docs")) for page in pages() if page.parts[0] == "docs"}

    assert sorted(site_pages()) == sorted(below)


def test_every_picture_is_shown() -> None:
    """And is of a size that a reader waits for."""
    shown = {(ROOT / page.parent / each.aim).resolve() for page in pages() for each in links(text_of(page))}
    pictures = {path for path in (ROOT / "docs").rglob("*") if path.suffix in {".png", ".jpg", ".webp"}}

    assert pictures - shown == set()
    assert [path.name for path in pictures if path.stat().st_size > 600_000] == []


def test_links_out_of_the_guide_become_pages_or_paths() -> None:
    """The site has no folder of code; Markdown files beside the guide are pages of it."""
    page = Path("docs/operate/index.md")

    assert site_text(page, "[a](../../sql/analytics/README.md#x)") == "[a](../project/sql/analytics/README.md#x)"
    assert site_text(page, "[`sql/`](../../sql)") == "`sql/`"
    assert site_text(page, "[the files](../../sql)") == "the files (`sql`)"
    assert site_text(page, "[a](../plans.md)") == "[a](../plans.md)"
    assert site_text(page, "```\n[a](../../sql)\n```") == "```\n[a](../../sql)\n```"


@pytest.mark.parametrize("path", sorted(PAGES))
def test_a_generated_page_is_current(path: str) -> None:
    """`make reference` writes it again."""
    assert (ROOT / path).read_text(encoding="utf-8") == PAGES[path]()


def test_every_key_has_an_example_that_its_model_accepts() -> None:
    """Pasted below the right part of a file, an example is valid."""
    assert EXAMPLES.keys() == {model.__name__ for model in MODELS}
    for model in MODELS:
        given = [key for key, _, _ in keys(model)]
        assert EXAMPLES[model.__name__].keys() == set(given)
        for key, field, example in keys(model):
            content = yaml.load(example, PlainLoader)  # noqa: S506 - a safe loader
            assert content.keys() == {key}, example
            assert field.description, f"{model.__name__}.{key}"
            model.model_validate({**_beside(model.__name__, key), **content})


def _beside(model: str, key: str) -> dict[str, object]:
    """Return the keys that an example needs beside it."""
    given = {**minimal(next(each for each in MODELS if each.__name__ == model))}
    wanted = {
        "records": {"source": None, "fields": None},
        "sql": {"from": None},
        "value": {"from": None},
        "parent_required": {"parent": {"customers": "customer_id"}},
        "hours": {"cron": None},
        "weekdays": {"cron": None, "hours": [6]},
        "monitored_fields": {"fields": [{"field": name, "from": "a"} for name in ("externalid", "name", "company")]},
        "match": {"fields": [{"field": name, "from": "a"} for name in ("externalid", "name")]},
        "imports": {"fields": [{"field": name, "from": "a"} for name in ("externalid", "name")]},
    }
    return {**given, **wanted.get(key, {})}  # fmt: skip


def test_every_option_of_a_target_is_explained() -> None:
    """An option that is not on the page cannot be found."""
    code = (ROOT / "assets/target_registry.py").read_text(encoding="utf-8")
    read = {*re.findall(r'options(?:\.get\(|\[)"(\w+)"', code)} | {"id_field", "inactive_suffix"}

    assert {name for options in OPTIONS.values() for name in options} == read


def test_every_error_has_its_fix() -> None:
    """The classes of errors that a person may see, each once."""
    named = [name for fixes in FIXES.values() for name in fixes]

    assert sorted(named) == sorted(error_classes())


def test_every_alert_has_its_text() -> None:
    """By the functions that raise them, as many as each raises; and every kind."""
    raised: dict[str, int] = {}
    for path in (ROOT / "orchestration" / "alerts").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        for function, body in re.findall(r"^def (\w+)\((.*?)(?=^def |^class |\Z)", source, re.MULTILINE | re.DOTALL):
            if count := len(re.findall(r"\bAlert\(\s*Kind\.", body)):
                raised[function] = count

    assert {name: len(texts) for name, texts in ALERTS.items()} == raised
    assert {each.kind for texts in ALERTS.values() for each in texts} == set(Kind)


def test_every_deployment_variable_is_explained() -> None:
    """They are not settings of Millpond, but of the files in orchestration/deploy."""
    assert DOCUMENTED.keys() == set(DEPLOYMENT)


def test_the_index_has_every_page() -> None:
    """Whoever reads the folder without the site begins there."""
    listed = {each.aim for each in links(text_of(Path("docs/index.md")))}

    assert listed == {page for page in site_pages() if page != "index.md"}


@pytest.mark.parametrize("page", pages(), ids=str)
def test_no_message_of_a_sequence_diagram_ends_early(page: Path) -> None:
    """A semicolon ends a statement, and the site shows the text instead of the diagram."""
    diagrams = re.findall(r"^```mermaid\nsequenceDiagram\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)

    assert [line for diagram in diagrams for line in diagram.splitlines() if ";" in line] == []


def test_tables_that_pages_name_exist() -> None:
    """A table that was renamed is found by no one; `…`, `<…>` and placeholders of workflows are no names."""
    made = {name for layer in ("ledger", "analytics", "history", "staging", "imports") for name in names(layer)}
    made |= {table for each in RECORD_TYPES.values() for table in each.raw_tables}
    pattern = re.compile(r"\b(?:(?:raw|stg|hist)_netsuite__|sync_)[a-z_0-9]*[a-z0-9]\b")
    own = re.compile(r"stg_netsuite__custom(list|record)_\w+|sync_(suiteprojects|precoro)__\w+")
    named = {
        (str(page), word)
        for page in pages()
        if page.name not in {"upgrade.md", "tables.md"}
        for code in re.findall(r"`([^`\n]+)`", text_of(page))
        for word in pattern.findall(code)
        if word not in made and not own.fullmatch(word) and word not in NO_TABLES
    }

    assert named == set()


@pytest.mark.parametrize("page", [each for each in pages() if each.stem != "cookbook"], ids=str)
def test_workflow_files_on_pages_are_valid(page: Path, tmp_path: Path) -> None:
    """A key that was renamed would be an error of whoever copies it."""
    files = re.findall(
        r"```yaml\n((?:#[^\n]*\n)?type: assets.components.SyncWorkflow\n.*?)```", text_of(page), re.DOTALL
    )
    for number, text in enumerate(files):
        file = tmp_path / f"page_{number}" / "defs.yaml"
        file.parent.mkdir()
        file.write_text(text, encoding="utf-8")
        assert load_workflow(file).spec.records
