"""A home with a contact whose every value is unique, in every place that a home has for it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree

import pytest

from orchestration.realtime.queue import NotificationQueue
from resources.sandbox.generator.seed import seed
from tests.orchestration.conftest import Home, at_home

CONTACT = 1025  # of the first seed with forty customers: its customer is selected
ADDRESS = 900_001
KEY = "Yn7Zf3sQ0aW5m2cK8pR4tV6xB1dG9hJ0lN3oQ5uS7wE="
TEXTS = ("entityid", "firstname", "middlename", "lastname", "salutation", "title", "comments", "fax")
PLACES = ("label", "addressee", "attention", "addr1", "addr2", "addr3", "addrphone", "city", "state", "zip")


@dataclass
class Planted:
    """A home, and the unique values that it has, of two versions of a contact."""

    home: Home
    values: list[str] = field(default_factory=list)

    def save(self, version: str) -> None:
        """Save the contact and its address in NetSuite with values that are found nowhere else."""
        netsuite = self.home.sandbox.netsuite
        own = {name: f"Kanary{name}{version}" for name in TEXTS}
        own |= {"email": f"kanary{version}@zqx.example", "phone": f"+1 555 7777 08{version}"}
        own |= {"mobilephone": f"+1 555 7777 09{version}", "comments": f"Kanary's “comment” {version} & Zürich"}
        netsuite.update("contact", CONTACT, **own)
        place = {name: f"Kanary{name}{version}" for name in PLACES}
        entry = {"label": place.pop("label")}
        if any(row["internalid"] == ADDRESS for row in netsuite.rows("contactaddressbook")):
            netsuite.update("contactaddressbook", ADDRESS, **entry)
            netsuite.update("contactaddressbookentityaddress", ADDRESS, **place)
        else:
            keys = {"internalid": ADDRESS, "entity": CONTACT, "addressbookaddress": ADDRESS, "defaultbilling": True}
            netsuite.insert("contactaddressbook", [{**keys, **entry}])
            found = {"nkey": ADDRESS, "recordowner": CONTACT, "country": "DE", **place}
            netsuite.insert("contactaddressbookentityaddress", [found])
        self.values += [*own.values(), *place.values(), *entry.values()]

    def echo(self) -> None:
        """Let a target, people and other programs quote values, in the ledger and in every kind of file."""
        email, name = f"kanary{'A'}@zqx.example", "KanaryentityidA"
        with self.home.warehouse.writer() as con:
            con.execute(
                "insert into sync_attempts by name select * replace ('echoed' as attempt_id, 'rejected' as state, null"
                f" as image, 'Invalid value {email} of {name}' as reason, position + 100000 as position)"
                f" from sync_attempts where source = 'contacts' and source_id = '{CONTACT}' limit 1"
            )
            con.execute(
                "insert into sync_events by name select 'noted' as event_id, 'pruned' as event, '' as workflow,"
                " '' as subject, 'ada' as decided_by, 100001 as position, now()::timestamp as decided_at,"
                f" '{{}}' as details, 'a colleague of {name.upper()}' as note"
            )
        folder = self.home.folder / "dagster" / "history"
        folder.mkdir(parents=True)
        with closing(sqlite3.connect(folder / "runs.db", isolation_level=None)) as con:
            con.execute("pragma journal_mode = wal")
            con.execute("create table event_logs (id integer primary key, event text)")
            text = '{"message": "Kanary\\u2019s value: Kanary\'s \\u201ccomment\\u201d A & Z\\u00fcrich"}'
            con.execute("insert into event_logs (event) values (?)", [text])
            con.execute("insert into event_logs (event) values (?)", [email])
            con.execute("delete from event_logs where event = ?", [email])  # on a free page
        queue = NotificationQueue(self.home.folder)
        queue.add("contacts", str(CONTACT), is_deleted=False, nonce="n", now=1.0, remember_s=10.0)
        with closing(sqlite3.connect(self.home.folder / "notifications.sqlite", isolation_level=None)) as con:
            con.execute(
                "insert into progress values ('contacts', ?, 'suiteprojects', 1, 0, 1, 0.0, ?)", [str(CONTACT), email]
            )
        logs = self.home.folder / "dagster" / "storage" / "run" / "compute_logs"
        logs.mkdir(parents=True)
        left = self.home.folder / "warehouse" / "scratch" / "netsuite_killed"
        left.mkdir(parents=True)
        (left / "rows.parquet").write_bytes(email.encode())
        copies = self.home.folder / f".backup.{os.getpid()}"  # of a killed one, whatever number its process had
        copies.mkdir()
        (copies / "alerts.sqlite").write_bytes(email.encode())
        (logs / "step.err").write_text(f"ValueError: {email.upper()} and {name}\n")

    def with_values(self, folder: Path | None = None) -> list[str]:
        """Return the files below the home, but those of the stand-ins, that have one of the values."""
        home = folder or self.home.folder
        sought = sorted({form.encode() for each in self.values for form in (each, each.lower(), each.upper())})
        return [
            file.relative_to(home).as_posix()
            for file in sorted(home.rglob("*"))
            if file.is_file()
            and "sandbox" not in file.relative_to(home).parts
            and any(each in file.read_bytes() for each in sought)
        ]


@pytest.fixture(scope="session")
def planted_folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A home after two runs, made once."""
    folder = tmp_path_factory.mktemp("planted") / "home"
    with at_home(folder) as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_LEDGER_KEY", KEY)
        seed(home.sandbox, customers=40, seed=1)
        planted = Planted(home)
        planted.save("A")
        assert home.run().success
        planted.echo()
        planted.save("B")
        assert home.run().success
    return folder, planted.values


@pytest.fixture
def planted(planted_folder: tuple[Path, list[str]], tmp_path: Path) -> Iterator[Planted]:
    """A copy of that home."""
    made, values = planted_folder
    copytree(made, tmp_path / "home")
    with at_home(tmp_path / "home") as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_LEDGER_KEY", KEY)
        patch.delenv("DAGSTER_HOME", raising=False)
        patch.chdir(tmp_path)
        yield Planted(home, [*values])
