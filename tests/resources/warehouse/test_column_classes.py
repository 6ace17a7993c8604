"""One class for each column: what is hidden, forgotten and kept follows from it."""

from collections.abc import Iterator

import pytest

from resources.warehouse.column_classes import (
    choose_classes,
    class_of,
    is_forgotten,
    parse_classes,
    parse_days,
)
from resources.warehouse.masking import is_personal


@pytest.fixture(autouse=True)
def _as_shipped() -> Iterator[None]:
    choose_classes({})
    yield
    choose_classes({})


@pytest.mark.parametrize(
    ("column", "of_person", "of_company"),
    [
        ("email", "personal", "personal"),
        ("company_name", "personal", "business"),
        ("external_id", "personal", "technical"),
        ("custentity_birth", "personal", "personal"),
        ("city", "business", "business"),
        ("customer_id", "technical", "technical"),
        ("is_inactive", "technical", "technical"),
        ("modified_at", "technical", "technical"),
    ],
)
def test_the_class_of_a_column(column: str, of_person: str, of_company: str) -> None:
    """Names of a company are no one's."""
    assert class_of(column) == of_person
    assert class_of(column, is_person=False) == of_company


def test_places_of_a_person_are_forgotten_with_the_name() -> None:
    """They are shown to analysts, and say who it was together with little else."""
    assert is_forgotten("city", is_person=True)
    assert not is_forgotten("city", is_person=False)
    assert not is_personal("city")
    assert not is_forgotten("country_code", is_person=True)


def test_a_setting_gives_other_classes_and_the_longest_name_counts() -> None:
    """Custom fields first: they are personal unless it is known that they are not."""
    choose_classes(parse_classes("custentity=business, custentity_birth=personal,city=business"))
    assert class_of("custentity_region") == "business"
    assert not is_personal("custentity_region")
    assert class_of("custentity_birthday") == "personal"
    assert not is_forgotten("city", is_person=True)


@pytest.mark.parametrize("text", ["custentity_region", "custentity_region=secret", "=personal"])
def test_a_class_that_is_none_is_refused(text: str) -> None:
    """The text names the part."""
    with pytest.raises(ValueError, match="column=class"):
        parse_classes(text)


def test_days_by_class() -> None:
    """A class that is not named has the default."""
    assert parse_days("personal=365,business=0", 730) == {"personal": 365, "business": 0, "technical": 730}
    for text in ("personal", "personal=-1", "person=3", "personal=1.5"):
        with pytest.raises(ValueError, match="class=days"):
            parse_days(text, 0)
