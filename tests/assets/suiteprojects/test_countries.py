"""Countries: NetSuite's code, a name over there, and the code again when it is compared."""

import pytest

from assets.suiteprojects.countries import NAMES, spelled, understood
from resources.sandbox.generator.geography import COUNTRY_CODES
from tests.assets.suiteprojects.account import Account, shipped, switched_on
from tests.assets.suiteprojects.staged import customer, stage

CUSTOMERS = "suiteprojects__customers"


def test_every_code_has_a_name_of_its_own_and_comes_back_from_it() -> None:
    """ISO 3166-1 has 249 codes; two with one name would be taken for each other."""
    assert len(NAMES) == len(set(NAMES.values())) == 249
    for code, name in NAMES.items():
        assert spelled({"addr_country": code})["addr_country"] == name
        assert understood({"billing_addr_country": name.upper()})["billing_addr_country"] == code


@pytest.mark.parametrize(
    ("written", "code"),
    [("USA", "US"), ("United States of America", "US"), (" uk ", "GB"), ("Côte d'Ivoire", "CI"), ("Türkiye", "TR"),
     ("Korea, Republic of", "KR"), ("SE", "SE"), ("Atlantis", "Atlantis"), (None, None)],
)  # fmt: skip
def test_other_names_are_understood_and_unknown_ones_stay(written: str | None, code: str | None) -> None:
    """What people typed before; a country that nobody knows is not ours to mend."""
    assert understood({"addr_country": written})["addr_country"] == code


def test_names_of_real_companies_files_are_known() -> None:
    """Each name of the sandbox's own list stands for the code that it gives there."""
    wrong = {
        name: code
        for name, code in COUNTRY_CODES.items()
        if name != "Netherlands Antilles" and understood({"addr_country": name})["addr_country"] != code
    }

    assert wrong == {}


@pytest.mark.parametrize(("options", "shown"), [({}, "Sweden"), ({"countries": "as_given"}, "SE")])
def test_a_country_is_compared_by_its_code(account: Account, options: dict[str, str], shown: str) -> None:
    """Who writes the name in another way has changed nothing; another country is put back."""
    account.use(shipped(CUSTOMERS, lambda given: given.update(options=options)))

    def run() -> tuple[str, str]:
        account.runs += 1
        account.deliver(CUSTOMERS)
        return account.decided(CUSTOMERS)["10"]

    stage(account.warehouse, departments=[], customers=[customer("10", country_code="SE", city="Lund")])
    run()
    key = account.held("Customer")["10"]["id"]
    first = account.held("Customer")["10"]["addr_country"]
    account.sandbox.suiteprojects.modify("Customer", int(key), addr_country="SWEDEN" if shown == "Sweden" else "SE")
    respelled = run()
    account.sandbox.suiteprojects.modify("Customer", int(key), addr_country="Norway")
    edited = run()

    assert first == shown
    assert respelled[0] == "unchanged"
    assert edited == ("update", "edited in the target since; 1 in the target: addr_country")
    assert account.held("Customer")["10"]["addr_country"] == shown
    assert account.held("Customer")["10"]["addr_city"] == "Lund"


def test_a_customer_may_have_another_address_for_what_is_shipped(account: Account) -> None:
    """Each side of it is compared by itself, countries by their codes."""
    on = ("contact_addr_city", "contact_addr_country")
    account.use(shipped(CUSTOMERS, switched_on(*on)))
    places = {"city": "Lund", "country_code": "SE", "shipping_city": "Oslo", "shipping_country_code": "NO"}
    stage(account.warehouse, departments=[], customers=[customer("10", **places)])
    account.deliver(CUSTOMERS)

    held = account.held("Customer")["10"]
    shown = [held[f"{part}addr_{name}"] for part in ("", "contact") for name in ("city", "country")]
    account.runs += 1
    account.deliver(CUSTOMERS)

    assert shown == ["Lund", "Sweden", "Oslo", "Norway"]
    assert account.decided(CUSTOMERS)["10"][0] == "unchanged"


def test_another_spelling_than_the_known_ones_is_refused_before_anything_is_read(account: Account) -> None:
    """A word that means nothing would otherwise be taken for the usual way."""
    account.use(shipped(CUSTOMERS, lambda given: given.update(options={"countries": "iso"})))
    stage(account.warehouse, departments=[], customers=[customer("10")])

    with pytest.raises(ValueError, match="names or as_given"):
        account.deliver(CUSTOMERS)
