"""Countries: NetSuite's code, the name in SuiteProjects Pro, and the code again in comparisons."""

import pytest

from assets.suiteprojects.countries import NAMES, with_codes, with_names
from resources.sandbox.generator.geography import COUNTRY_CODES
from tests.assets.suiteprojects.account import Account, shipped, switched_on
from tests.assets.suiteprojects.staged import customer, stage

CUSTOMERS = "suiteprojects__customers"


def test_every_code_has_a_unique_name_that_is_read_back_as_the_code() -> None:
    """ISO 3166-1 has 249 codes; two with the same name would be confused."""
    assert len(NAMES) == len(set(NAMES.values())) == 249
    for code, name in NAMES.items():
        assert with_names({"addr_country": code})["addr_country"] == name
        assert with_codes({"billing_addr_country": name.upper()})["billing_addr_country"] == code


@pytest.mark.parametrize(
    ("written", "code"),
    [("USA", "US"), ("United States of America", "US"), (" uk ", "GB"), ("Côte d'Ivoire", "CI"), ("Türkiye", "TR"),
     ("Korea, Republic of", "KR"), ("SE", "SE"), ("Atlantis", "Atlantis"), (None, None)],
)  # fmt: skip
def test_other_names_are_read_as_codes_and_unknown_ones_stay(written: str | None, code: str | None) -> None:
    """People typed names before; an unknown country is left alone."""
    assert with_codes({"addr_country": written})["addr_country"] == code


def test_names_in_company_files_are_known() -> None:
    """Each name in the sandbox's list has the same code here."""
    wrong = {
        name: code
        for name, code in COUNTRY_CODES.items()
        if name != "Netherlands Antilles" and with_codes({"addr_country": name})["addr_country"] != code
    }

    assert wrong == {}


@pytest.mark.parametrize(("options", "expected"), [({}, "Sweden"), ({"countries": "as_given"}, "SE")])
def test_countries_are_compared_by_code(account: Account, options: dict[str, str], expected: str) -> None:
    """Another spelling is no change; another country is restored."""
    account.use(shipped(CUSTOMERS, lambda given: given.update(options=options)))

    def run() -> tuple[str, str]:
        account.runs += 1
        account.deliver(CUSTOMERS)
        return account.decisions(CUSTOMERS)["10"]

    stage(account.warehouse, departments=[], customers=[customer("10", country_code="SE", city="Lund")])
    run()
    key = account.records("Customer")["10"]["id"]
    first = account.records("Customer")["10"]["addr_country"]
    account.sandbox.suiteprojects.modify("Customer", int(key), addr_country="SWEDEN" if expected == "Sweden" else "SE")
    respelled = run()
    account.sandbox.suiteprojects.modify("Customer", int(key), addr_country="Norway")
    edited = run()

    assert first == expected
    assert respelled[0] == "unchanged"
    assert edited == ("update", "edited in the target: addr_country")
    assert account.records("Customer")["10"]["addr_country"] == expected
    assert account.records("Customer")["10"]["addr_city"] == "Lund"


def test_a_customer_may_have_a_shipping_address(account: Account) -> None:
    """Each address is compared separately, countries by code."""
    fields = ("contact_addr_city", "contact_addr_country")
    account.use(shipped(CUSTOMERS, switched_on(*fields)))
    places = {"city": "Lund", "country_code": "SE", "shipping_city": "Oslo", "shipping_country_code": "NO"}
    stage(account.warehouse, departments=[], customers=[customer("10", **places)])
    account.deliver(CUSTOMERS)

    record = account.records("Customer")["10"]
    sent = [record[f"{part}addr_{name}"] for part in ("", "contact") for name in ("city", "country")]
    account.runs += 1
    account.deliver(CUSTOMERS)

    assert sent == ["Lund", "Sweden", "Oslo", "Norway"]
    assert account.decisions(CUSTOMERS)["10"][0] == "unchanged"


def test_an_unknown_spelling_option_is_rejected_before_the_first_call(account: Account) -> None:
    """A typo would otherwise select the default."""
    account.use(shipped(CUSTOMERS, lambda given: given.update(options={"countries": "iso"})))
    stage(account.warehouse, departments=[], customers=[customer("10")])

    with pytest.raises(ValueError, match="names or as_given"):
        account.deliver(CUSTOMERS)
