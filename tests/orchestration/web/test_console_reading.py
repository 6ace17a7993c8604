"""The console's pages while a run writes, with personal data hidden, and with names of any kind."""

from html.parser import HTMLParser
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.configuration.settings import MillpondSettings
from orchestration.web.console.pages import environment, visible
from orchestration.web.console.site import Account, BusyError
from resources.warehouse.warehouse import Warehouse
from tests.orchestration.conftest import Home


def names(warehouse: Warehouse) -> list[str]:
    """Return the names in a table."""
    return [str(name) for name in warehouse.table("stg_netsuite__contacts")["first_name"]]


def with_contact(home: Home, name: str) -> None:
    """Store a contact."""
    with home.warehouse.writer() as con:
        con.execute("create or replace table stg_netsuite__contacts (contact_id varchar, first_name varchar)")
        con.execute("insert into stg_netsuite__contacts values ('1', ?)", [name])


def test_a_page_shows_what_was_published_while_a_run_writes(home: Home) -> None:
    """It neither waits nor fails; before the first publication it says that it has nothing to show."""
    account = Account.of(MillpondSettings())
    with_contact(home, "before")
    with home.warehouse.lock(home.warehouse.file.name, 1), pytest.raises(BusyError):
        account.read(names)
    home.warehouse.publish()
    with_contact(home, "after")

    assert account.read(names)[0] == ["after"]
    began = monotonic()
    with home.warehouse.lock(home.warehouse.file.name, 1):
        found, reading = account.read(names)

    assert found == ["before"]
    assert not reading.is_current
    assert monotonic() - began < 3
    home.warehouse.publish()
    with home.warehouse.lock(home.warehouse.file.name, 1):
        assert account.read(names)[0] == ["after"], "the file that was published before is still open"


def test_a_writer_does_not_wait_for_a_reader_of_the_published_file(home: Home) -> None:
    """A long page holds no lock."""
    with_contact(home, "before")
    home.warehouse.publish()
    published = Account.of(MillpondSettings()).published

    with published.writer(transaction=False) as con:
        assert con.execute("select count(*) from stg_netsuite__contacts").fetchall() == [(1,)]
        with home.warehouse.lock(home.warehouse.file.name, 0.1):
            pass


@pytest.mark.parametrize("personal", ["mask", "empty"])
def test_pages_show_personal_data_as_the_snapshot_does(
    home: Home, monkeypatch: pytest.MonkeyPatch, personal: str
) -> None:
    """Also when no run writes; only a query that hides it itself reads the warehouse."""
    monkeypatch.setenv("MILLPOND_PERSONAL_DATA", personal)
    account = Account.of(MillpondSettings())
    with_contact(home, "Ada")
    account.live.publish()

    found, reading = account.read(names)

    assert "Ada" not in found
    assert reading.is_current
    assert account.read(names, is_private=True)[0] == ["Ada"]


class Text(HTMLParser):
    """Collects the text and the tags of a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", set[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the parser's
        """Note a tag."""
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.text += data


@given(st.text(min_size=1, max_size=100) | st.just("<script>alert(1)</script>") | st.just('" onload=x'))
def test_a_name_is_text_whatever_it_contains(name: str) -> None:
    """No tag of its own, and every character that cannot be seen is written out."""
    parsed = Text()
    parsed.feed(str(environment().get_template("macros.html.jinja").module.name(name)))  # type: ignore[attr-defined]
    parsed.close()

    assert parsed.tags == {"bdi"}
    assert parsed.text == visible(name)[:120] + ("…" if len(visible(name)) > 120 else "")
    assert not set(parsed.text) & set("\u202e\u202d\u2066\u200b\ufeff\x00")


def test_a_reversed_name_does_not_look_like_another() -> None:
    """The override for right-to-left texts would show it as another name."""
    assert visible("\u202eelgooG") == "⟨U+202E⟩elgooG"
    assert visible("İstanbul שלום 東京") == "İstanbul שלום 東京"
