"""Workflow files, groups.yaml and .env: names change, everything else stays as people wrote it."""

import os
from pathlib import Path

import pytest

from assets.delivery.spec.loader import read_workflow
from assets.delivery.spec.policies import Limit
from assets.delivery.spec.workflow_spec import WorkflowSpec
from orchestration.automation.groups import load_groups
from orchestration.configuration.secret_names import SECRETS
from orchestration.configuration.settings import SETTINGS
from orchestration.upgrade import user_files
from orchestration.upgrade.copies import Copies
from orchestration.upgrade.errors import UpgradeError
from orchestration.upgrade.fingerprints import former_fingerprints
from orchestration.upgrade.m0002_plain_names.names import GROUPS_FILE, VARIABLES, WORKFLOW_FILE
from orchestration.upgrade.migrations import MIGRATIONS
from orchestration.upgrade.perform import upgrade_all
from orchestration.upgrade.user_files import user_changes, write_changes
from orchestration.upgrade.yaml_names import Names, apply, edits_of
from orchestration.workflow_files import load_user_files
from tests.orchestration.upgrade.conftest import Installation
from tests.orchestration.upgrade.renames_page import yaml_rows

# a workflow file of 0.1 with every renamed key, in every spelling that YAML allows
OLD_FILE = """\
# the component
type: assets.delivery.workflow.SyncWorkflow   # as shipped
attributes:
  target: suiteprojects.Customer
  "record_link": '{base_url}/customer?id={id}'
  records:
    - source: customers
      select: {membership: primary, stages: {lead: skip}}
      fields:
        - {field: externalid, from: customer_id, locked: true}   # blank: never
        - {field: name, from: entity_number, otherwise: keep, 'blank': keep}
        - field: type
          from: stage
          lookup: &chain
            table: twin_suiteprojects__projects
            by: a
            return: b
            several: first
            then: {table: "twin_acme__leads", by: c, return: d, several: none}
        - {field: code, from: subsidiary_id, values: {blank: links, links: blank}}
        - {field: web, from: department_id, links: suiteprojects__customer_department}
  match: [external_id, {field: web}, {field: name, stored_id: web, other_id: ask}]
  monitored: [name]
  strict_mapping: true
  imports: {select: "picked", label: name}
  guards:
    blank: {percent: 1, rows: 20}
    rekey: {rows: 0, percent: 0}
    update:
      rows: 7
      percent: 3
    halved_source: false
  plan_lifetime_h: 48
  retry_refused_after_h: 24
"""
NEW_FILE = """\
# the component
type: assets.components.SyncWorkflow   # as shipped
attributes:
  target: suiteprojects.Customer
  "record_url": '{base_url}/customer?id={id}'
  records:
    - source: customers
      select: {subsidiary_scope: primary, stages: {lead: skip}}
      fields:
        - {field: externalid, from: customer_id, locked: true}   # blank: never
        - {field: name, from: entity_number, on_unmapped: keep, 'on_blank': keep}
        - field: type
          from: stage
          lookup: &chain
            table: target_suiteprojects__projects
            by: a
            return: b
            on_multiple: first
            then: {table: "target_acme__leads", by: c, return: d, on_multiple: none}
        - {field: code, from: subsidiary_id, values: {blank: links, links: blank}}
        - {field: web, from: department_id, reference: suiteprojects__customer_department}
  match: [external_id, {field: web}, {field: name, id_field: web, on_id_conflict: ask}]
  monitored_fields: [name]
  forbid_duplicate_fields: true
  imports: {select: "selected", label: name}
  guards:
    clear_values: {percent: 1, floor: 20}
    key_change: {floor: 0, percent: 0}
    update:
      floor: 7
      percent: 3
    source_shrunk: false
  plan_lifetime_hours: 48
  retry_rejected_after_hours: 24
"""


def test_only_names_change_in_a_workflow_file() -> None:
    """Comments, order, quotes, indentation and look-alikes in values stay."""
    converted = apply(OLD_FILE, edits_of(OLD_FILE, WORKFLOW_FILE))

    assert converted == NEW_FILE


def test_a_converted_file_is_a_workflow(tmp_path: Path) -> None:
    """Every new key is one of this version."""
    file = tmp_path / "acme__leads" / "defs.yaml"
    file.parent.mkdir()
    file.write_text(NEW_FILE)

    assert read_workflow(file).plan_lifetime_hours == 48


def test_every_rename_is_in_the_example() -> None:
    """The example above contains every key."""
    edited = {(edit.old, edit.new) for edit in edits_of(OLD_FILE, WORKFLOW_FILE)}

    for old, new, _ in yaml_rows(WORKFLOW_FILE):
        *_, old_word = old.replace("…", "").split(": ")
        *_, new_word = new.replace("…", "").split(": ")
        assert any(old_word in before and new_word in after for before, after in edited), old


def test_a_file_of_this_version_is_unchanged(tmp_path: Path) -> None:
    """Its component distinguishes it from one of 0.1: `rows` of a guard is a name of both."""
    file = tmp_path / "acme__leads" / "defs.yaml"
    file.parent.mkdir()
    file.write_text(NEW_FILE.replace("{percent: 1, floor: 20}", "{percent: 1, rows: 20}"))

    assert user_changes(tmp_path, None, MIGRATIONS) == []


@pytest.mark.parametrize("percent", [0, 1, 5, 60, 100])
@pytest.mark.parametrize("rows", [0, 1, 20, 1000])
def test_a_guard_allows_what_it_allowed(percent: int, rows: int) -> None:
    """0.1 allowed the larger of both numbers; as `rows` becomes `floor`, so does 0.2."""
    for ours in (0, 1, 3, 40, 999, 100_000):
        assert Limit(percent=percent, floor=rows).allowed(ours) == max(rows, int(ours * percent / 100))


def test_the_files_of_the_home_are_valid(upgraded_once: Installation) -> None:
    """Workflow files with every key that 0.1 had, and groups with schedules and sensors."""
    files = load_user_files(upgraded_once.workflows)

    assert not files.problems
    assert len(files.workflows) == 16
    assert files.groups.groups["night_shift"].freshness_hours == 30
    assert files.groups.groups["uk_import"].sensor
    assert files.groups.schedules["maintenance"].on


def test_comments_and_lines_stay(unpacked: Installation, upgraded_once: Installation) -> None:
    """A converted file has the lines of the old one, and differs only within words."""
    for file in unpacked.workflows.rglob("*.yaml"):
        before = file.read_text().splitlines()
        after = (upgraded_once.workflows / file.relative_to(unpacked.workflows)).read_text().splitlines()

        assert len(after) == len(before)
        assert [line.partition("#")[2] for line in after] == [line.partition("#")[2] for line in before]


def test_fingerprints_of_shipped_files_are_found(unpacked: Installation) -> None:
    """Also if a home uses the reworded files of this version; two of them have a new rule for names."""
    shipped = Path(user_files.__file__).parents[1] / "workflows"
    changed = {"precoro__options", "suiteprojects__customers"}
    for file in sorted(shipped.glob("*/defs.yaml")):
        if file.parent.name in changed:
            continue
        old = unpacked.workflows / file.parent.name / "defs.yaml"
        expected = former_fingerprints(old, MIGRATIONS) if old.exists() else set()

        assert expected & former_fingerprints(file, MIGRATIONS), file.parent.name


def test_groups_are_renamed(tmp_path: Path) -> None:
    """Keys in their places; a group that has such a name keeps it."""
    text = "tidy: {hours: [04:30]}\ngroups:\n  fresh_h: {workflows: [a], fresh_h: 3, sensor: {every_s: 60}}\n"
    converted = apply(text, edits_of(text, GROUPS_FILE))
    (tmp_path / "groups.yaml").write_text(converted)

    assert converted == (
        "maintenance: {hours: [04:30]}\ngroups:\n"
        "  fresh_h: {workflows: [a], freshness_hours: 3, sensor: {every_seconds: 60}}\n"
    )
    assert not load_groups(tmp_path, ["a"]).problems


def test_merged_and_shared_mappings_are_renamed_once() -> None:
    """An anchor's mapping is edited where it is written."""
    text = "a: &x {old: 1}\nb:\n  <<: *x\n  old: 2\n"
    names = Names(keys={"old": "new"})
    edits = edits_of(text, Names(inside={"a": names, "b": names}))

    assert apply(text, edits) == "a: &x {new: 1}\nb:\n  <<: *x\n  new: 2\n"


def test_a_file_that_is_not_yaml_is_unchanged(old: Installation) -> None:
    """It is reported by `millpond validate`; the others are upgraded."""
    broken = old.workflows / "acme__leads" / "defs.yaml"
    broken.write_text("type: assets.delivery.workflow.SyncWorkflow\nattributes: [")
    lines: list[str] = []
    upgrade_all(lines.append)

    assert broken.read_text().endswith("[")
    assert any("acme__leads" in line and line.startswith(f"{old.home}") and "edited" in line for line in lines)
    assert "groups.yaml" in load_user_files(old.workflows).broken or load_user_files(old.workflows).broken.keys() == {
        "acme__leads"
    }


def test_read_only_files_stop_the_upgrade(old: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """With file, line, old and new name of everything to change, before anything is changed."""
    file = old.workflows / "precoro__services" / "defs.yaml"
    access = os.access
    monkeypatch.setattr(user_files.os, "access", lambda path, mode: Path(path) != file and access(path, mode))
    with pytest.raises(UpgradeError) as stopped:
        upgrade_all(lambda _: None)

    assert f"{file}:2: assets.delivery.workflow.SyncWorkflow -> assets.components.SyncWorkflow" in str(stopped.value)
    assert f"{file}:19: plan_lifetime_h -> plan_lifetime_hours" in str(stopped.value)
    assert str(old.workflows / "acme__leads") not in str(stopped.value)
    assert (old.home / "pond" / "stage.duckdb").exists()
    assert not old.copies.exists()
    assert "plan_lifetime_h:" in file.read_text()


ENV = """\
# Millpond
MILLPOND_RELEASERS=ada,ops
  export MILLPOND_SEAL_KEY="abc"   # MILLPOND_SEAL_KEY of last year
#MILLPOND_KEEP_DAYS=10
MILLPOND_ALERT_LINK=https://${MILLPOND_UI_NAMES}/
OTHER_MILLPOND_PERSONAL=1
MILLPOND_MODE=sandbox
"""


def test_one_renamed_setting_is_one_name(tmp_path: Path) -> None:
    """And several are counted."""
    file = tmp_path / ".env"
    for text, counted in (
        ("MILLPOND_RELEASERS=ada\n", "1 name, such as"),
        ("MILLPOND_RELEASERS=ada\nMILLPOND_KEEP_DAYS=9\n", "2 names, such as"),
    ):
        file.write_text(text)
        (line,) = write_changes(user_changes(tmp_path, file, MIGRATIONS), Copies(tmp_path, "0.1"))
        assert line == f"{file}: {counted} MILLPOND_RELEASERS -> MILLPOND_APPROVERS"


def test_settings_are_renamed(tmp_path: Path) -> None:
    """Also those that are commented out, and references to others; comments and other variables stay."""
    file = tmp_path / ".env"
    file.write_text(ENV)
    (change,) = user_changes(tmp_path, file, MIGRATIONS)

    assert change.text == (
        ENV.replace("RELEASERS", "APPROVERS")
        .replace('SEAL_KEY="abc"', 'ENCRYPTION_KEY="abc"')
        .replace("KEEP_DAYS", "KEEP_HISTORY_DAYS")
        .replace("ALERT_LINK", "ALERT_UI_URL")
        .replace("UI_NAMES", "UI_ALLOWED_HOSTS")
    )
    assert change.lines[0] == f"{file}:2: MILLPOND_RELEASERS -> MILLPOND_APPROVERS"


def test_every_new_setting_exists() -> None:
    """A setting under an unknown name would be ignored."""
    known = {
        f"{settings.model_config['env_prefix']}{name.upper()}"
        for settings in SETTINGS
        for name in settings.model_fields
    } | SECRETS.keys()

    assert set(VARIABLES.values()) <= known
    assert not VARIABLES.keys() & known


def test_every_key_of_the_model_can_be_written() -> None:
    """The new keys of the top level are those of the model."""
    assert set(WORKFLOW_FILE.inside["attributes"].keys.values()) <= WorkflowSpec.model_fields.keys()
