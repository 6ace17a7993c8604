"""Numbers on their way from staging through the mart into a request: every digit, and never in scientific notation."""

import re
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import httpx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.delivery.mart.lookup import as_value_list
from assets.delivery.target import Action, Write
from assets.suiteprojects.encode import encode, values_of
from assets.suiteprojects.record_types import KINDS
from resources.clock import WallClock
from resources.http import HttpClient
from resources.precoro.client import PrecoroClient
from tests.assets.delivery.builders import customer, customers, mart_of, one_source

SCIENTIFIC = re.compile(r"\d[eE][+-]?\d")
FLOATS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e30, max_value=1e30)
DECIMALS = st.decimals(min_value=-(10**19), max_value=10**19, places=6)
EXPRESSIONS = {
    "plain": "custentity_amount",
    "scaled": "custentity_amount * 1000000",
    "joined": "concat('EUR ', custentity_amount)",
    "as_text": "cast(custentity_amount as varchar)",
    "chosen": "case when custentity_amount > 5 then custentity_amount else 'none' end",
    "rounded": "round(custentity_exact, 2)",
    "exact": "custentity_exact",
    "both": "concat(custentity_exact, '/', custentity_amount, ' ', custentity_count)",
}


def mapped(numbers: list[tuple[float, Decimal, int]]) -> list[dict[str, Any]]:
    """Return the mart rows of customers with these numbers, through every kind of expression."""
    fields = [{"field": name, "sql": sql} for name, sql in EXPRESSIONS.items()]
    key = {"field": "externalid", "from": "customer_id", "locked": True}
    amounts, exact, counts = zip(*numbers, strict=True)
    table = customers(*(customer(str(number)) for number in range(len(numbers)))).with_columns(
        pl.Series("custentity_amount", amounts, pl.Float64),
        pl.Series("custentity_exact", exact, pl.Decimal(38, 18)),
        pl.Series("custentity_count", counts, pl.Int64),
    )
    spec = one_source(target="suiteprojects.Customer", fields=[key, *fields])
    names = ("externalid", *EXPRESSIONS)
    rows = mart_of(spec, customers=table).sort(pl.col("source_id").cast(pl.Int64))
    return [{name: row[name] for name in names} for row in rows.to_dicts()]


def sent(values: dict[str, str | None]) -> tuple[list[str], list[str]]:
    """Return the values as each target's request has them."""
    write = Write("customers", "1", Action.CREATE, None, values, frozenset(values))
    kind = KINDS["Customer"]
    element = encode(kind, write, values_of(kind, write))
    forms: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        forms.append(request.content.decode())
        return httpx.Response(200, json={"id": 1})

    http = httpx.Client(base_url="https://precoro.example", transport=httpx.MockTransport(answer))
    client = PrecoroClient(HttpClient(http, system="precoro"), clock=WallClock())
    client.create_option(1, {name: value for name, value in values.items() if value is not None})
    texts = [str(each.text) for each in element.iter() if each.text]
    return texts, [value for values in parse_qs(forms[0]).values() for value in values]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(FLOATS, DECIMALS, st.integers(-(2**62), 2**62)), min_size=1))
def test_no_number_is_sent_in_scientific_notation(numbers: list[tuple[float, Decimal, int]]) -> None:
    """Whatever an expression makes of it; both requests have the mart's texts."""
    rows = mapped(numbers)

    for row, (amount, exact, _) in zip(rows, numbers, strict=True):
        assert [float(row[name].removeprefix("EUR ")) for name in ("plain", "as_text", "joined")] == [amount] * 3
        assert Decimal(row["exact"]) == exact
    for row in rows[:2]:
        for texts in sent(row):
            assert sorted(texts) == sorted(value for value in row.values() if value is not None)
    assert [text for row in rows for text in row.values() if SCIENTIFIC.search(text or "")] == []


RATIO = "custentity_amount / custentity_count"
WITHOUT_A_VALUE = {
    "divided": (RATIO, {"1", "2", "3"}),
    "joined": (f"concat('EUR ', {RATIO})", {"1", "2", "3"}),
    "as text": (f"cast(round({RATIO}, 2) as varchar)", {"1", "2", "3"}),
    "a case": (f"case when custentity_count <> 0 then {RATIO} else 0 end", set()),
    "nullif": ("custentity_amount / nullif(custentity_count, 0)", set()),
    "logarithm": ("ln(custentity_count)", {"1", "2", "3"}),
    "root": ("sqrt(custentity_amount)", {"2"}),
    "a name": ("company_name", set()),
    "a name and a number": ("concat(company_name, custentity_amount)", set()),
}


@pytest.mark.parametrize("target", ["suiteprojects.Customer", "precoro.Option"])
@pytest.mark.parametrize("kind", WITHOUT_A_VALUE)
def test_a_number_without_a_value_is_held_back(kind: str, target: str) -> None:
    """`inf` and `NaN` would reach the target as texts; the reason names the field and says what to write."""
    sql, held = WITHOUT_A_VALUE[kind]
    key, name = (("externalid", "name"), ("externalId", "name"))[target == "precoro.Option"]
    fields = [{"field": key, "from": "customer_id", "locked": True}, {"field": name, "sql": sql}]
    table = customers(*(customer(str(number), company_name="Inf NaN inf") for number in range(1, 5))).with_columns(
        pl.Series("custentity_amount", [1.0, -1.0, 0.0, 6.0]), pl.Series("custentity_count", [0, 0, 0, 2])
    )

    rows = mart_of(one_source(target=target, fields=fields), customers=table).to_dicts()

    found = {row["source_id"]: row["reason"] for row in rows if row["reason_code"] == "not_a_number"}
    assert found.keys() == held
    assert all(f"{name}: not a number" in reason and "nullif" in reason for reason in found.values())
    assert {row["disposition"] for row in rows if row["source_id"] not in held} == {"deliver"}


def test_a_lookup_has_no_number_without_a_value() -> None:
    """Its key is not looked up, so that the row's own policy decides."""
    table = pl.DataFrame({"by": [1.0, 2.0, float("nan")], "return": [float("inf"), 4.0, 5.0]})

    assert as_value_list(table) == {"2": "4"}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.one_of(FLOATS, st.integers(0, 99).map(float)), FLOATS), min_size=1))
def test_a_lookup_has_the_marts_numbers(rows: list[tuple[float, float]]) -> None:
    """Its keys match what the mart writes, and its values can be sent."""
    table = pl.DataFrame(rows, schema={"by": pl.Float64, "return": pl.Float64}, orient="row")

    found = as_value_list(table, "first")

    assert {float(key) for key in found} == {key for key, _ in rows}
    assert [each for each in (*found, *found.values()) if SCIENTIFIC.search(each) or each.endswith(".0")] == []


@pytest.mark.parametrize(
    ("values", "texts"),
    [([42.0], ["42"]), ([Decimal("1.50")], ["1.5"]), ([True], ["1"]), ([7], ["7"]), (["4.0e1"], ["4.0e1"])],
)
def test_a_lookup_writes_a_value_as_a_field_does(values: list[Any], texts: list[str]) -> None:
    """A text stays as it is, whatever it looks like."""
    assert list(as_value_list(pl.DataFrame({"by": ["a"], "return": values})).values()) == texts
    assert list(as_value_list(pl.DataFrame({"by": values, "return": ["a"]}))) == texts


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("concat(company_name, ' ', custentity_amount)", "Hall 3E5 10000000000000000000000"),
        ("case when custentity_amount > 1 then company_name else cast(custentity_amount as varchar) end", "Hall 3E5"),
        ("coalesce(company_name, cast(custentity_amount as varchar))", "Hall 3E5"),
        ("concat('7e2 ', custentity_amount)", "7e2 10000000000000000000000"),
        ("concat('EUR', custentity_amount)", "EUR10000000000000000000000"),
        ("concat('EUR', custentity_amount, 'x')", "EUR10000000000000000000000x"),
        ("upper(concat('eur', custentity_amount))", "EUR10000000000000000000000"),
        ("concat('EUR', cast(email as double))", "EUR0.00000015"),
        ("concat(alt_name, '/', cast(email as double))", "1e5/0.00000015"),
        ("round(custentity_loss, 2)", "0"),
        ("custentity_loss * 0", "0"),
    ],
)
def test_only_numbers_are_written_out(sql: str, expected: str) -> None:
    """A name that looks like one is a name; a number next to letters, or made of a text, is a number; -0 is 0."""
    table = customers(customer(company_name="Hall 3E5", alt_name="1e5", email="1.5e-7")).with_columns(
        custentity_amount=pl.lit(1e22), custentity_loss=pl.lit(-0.001)
    )
    key = {"field": "externalid", "from": "customer_id", "locked": True}
    spec = one_source(target="suiteprojects.Customer", fields=[key, {"field": "name", "sql": sql}])

    assert mart_of(spec, customers=table)["name"].to_list() == [expected]


@pytest.mark.parametrize("sql", ["concat('EUR ', custentity_n)", "cast(custentity_n as varchar)", "custentity_n"])
def test_one_long_number_changes_the_text_of_no_other_record(sql: str) -> None:
    """Its field becomes a decimal in staging; the records whose numbers stay would all be sent again."""
    numbers = ["100", "-0.25", "1500.5", "1000000", "99999999999999.99"]
    key = {"field": "externalid", "from": "customer_id", "locked": True}
    spec = one_source(target="suiteprojects.Customer", fields=[key, {"field": "name", "sql": sql}])

    def texts(values: list[str], kind: pl.DataType) -> list[str]:
        column = pl.Series("custentity_n", values, pl.String).cast(kind)
        table = customers(*(customer(str(number)) for number in range(len(values)))).with_columns(column)
        return mart_of(spec, customers=table).sort("source_id")["name"].to_list()

    *others, long = texts(numbers, pl.Decimal(38, 18))

    assert others == texts(numbers[:-1], pl.Float64())
    assert long.endswith("99999999999999.99")
