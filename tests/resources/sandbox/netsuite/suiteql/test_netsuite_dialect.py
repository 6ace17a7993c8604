"""SuiteQL's dialect: what it can do, and NetSuite's words for what it cannot."""

import pytest

from resources.sandbox.netsuite.server import NetSuiteSandbox
from tests.resources.sandbox.netsuite.caller import Caller, Switch

UNSUPPORTED = "Invalid or unsupported search."


@pytest.fixture(autouse=True)
def _records(account: NetSuiteSandbox) -> None:
    """Two customers, one with a project."""
    account.insert("entitystatus", [{"key": 13, "name": "CUSTOMER-Closed Won", "entitytype": "CUSTOMER"}])
    account.insert("currency", [{"id": 1, "name": "Swedish krona", "symbol": "SEK"}])
    account.insert(
        "customer",
        [
            {
                "id": 1,
                "companyname": "Åkeri AB",
                "entitystatus": 13,
                "currency": 1,
                "isperson": False,
                "searchstage": "Lead",
            },
            {"id": 2, "firstname": "Ann", "lastname": "Berg", "isperson": True, "searchstage": "Customer"},
        ],
    )
    account.insert("subsidiary", [{"id": 7, "name": "Nordic"}])
    account.insert("customersubsidiaryrelationship", [{"entity": 1, "subsidiary": 7, "isprimarysub": True}])
    account.insert("job", [{"id": 10, "companyname": "Bridge", "customer": 1, "parent": 1}])
    account.insert("job", [{"id": 11, "companyname": "Bridge, north", "customer": 1, "parent": 10}])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("NVL(NULL, 'x')", "x"),
        ("NVL2(NULL, 'a', 'b')", "b"),
        ("COALESCE(NULL, NULL, 'c')", "c"),
        ("DECODE(2, 1, 'one', 2, 'two', 'many')", "two"),
        ("DECODE(NULL, NULL, 'same', 'other')", "same"),
        ("CASE WHEN 1 = 2 THEN 'a' ELSE 'b' END", "b"),
        ("CASE 3 WHEN 3 THEN 'three' END", "three"),
        ("SUBSTR('abcdef', 2, 3)", "bcd"),
        ("SUBSTR('abcdef', 0, 2)", "ab"),
        ("SUBSTR('abcdef', -2)", "ef"),
        ("INSTR('banana', 'a')", "2"),
        ("INSTR('banana', 'a', 3, 2)", "6"),
        ("LENGTH('åäö')", "3"),
        ("UPPER('åäö')", "ÅÄÖ"),
        ("LOWER('ÅÄÖ')", "åäö"),
        ("TRIM('  a ')", "a"),
        ("TRIM(LEADING '0' FROM '007')", "7"),
        ("LTRIM('xxa', 'x')", "a"),
        ("RTRIM('a  ')", "a"),
        ("LPAD('7', 3, '0')", "007"),
        ("RPAD('7', 3)", "7  "),
        ("ROUND(2.567, 1)", "2.6"),
        ("TRUNC(2.9)", "2"),
        ("TRUNC(2.99, 1)", "2.9"),
        ("CEIL(2.1)", "3"),
        ("MOD(7, 4)", "3"),
        ("1 / 2", "0.5"),
        ("ABS(-4)", "4"),
        ("GREATEST(1, 5, 3)", "5"),
        ("LEAST('b', 'a')", "a"),
        ("REPLACE('a-b', '-', '')", "ab"),
        ("REPLACE('a-b', '-', '+')", "a+b"),
        ("TRANSLATE('abc', 'ab', 'x')", "xc"),
        ("REGEXP_SUBSTR('order 66', '[0-9]+')", "66"),
        ("REGEXP_REPLACE('a1b2', '[0-9]', '')", "ab"),
        ("TO_NUMBER('12')", "12"),
        ("TO_CHAR(12)", "12"),
        ("CAST(12 AS VARCHAR2(10)) || '!'", "12!"),
        ("'a' || NULL || 'b'", "ab"),
        ("CONCAT('a', 'b')", "ab"),
        ("NULLIF('a', 'a')", None),
    ],
)
def test_functions_work_as_in_oracle(caller: Caller, expression: str, expected: str | None) -> None:
    """One expression, one value; nothing given means null, as in Oracle."""
    assert caller.value(expression) == expected


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM customer LIMIT 5",
        "SELECT id FROM customer OFFSET 5 ROWS",
        "WITH c AS (SELECT id FROM customer) SELECT id FROM c",
        "SELECT CEILING(id) FROM customer",
        "SELECT CHARINDEX('a', email) FROM customer",
        "SELECT CONVERT(id, CHAR) FROM customer",
        "SELECT DATEDIFF(startdate, enddate) FROM customer",
        "SELECT LEFT(email, 3) FROM customer",
        "SELECT RIGHT(email, 3) FROM customer",
        "SELECT LISTAGG(email, ',') FROM customer",
        "SELECT LOCATE('a', email) FROM customer",
        "SELECT POSITION('a' IN email) FROM customer",
        "SELECT REPEAT(email, 3) FROM customer",
        "SELECT SUBSTRING(email, 1, 3) FROM customer",
        "SELECT UCASE(email) FROM customer",
        "SELECT LCASE(email) FROM customer",
        "SELECT NOW() FROM dual",
        "SELECT id FROM customer WHERE email ILIKE 'a%'",
        "SELECT [id] FROM customer",
        "SELECT id FROM customer WHERE lastmodifieddate > DATE '2026-01-01'",
        "SELECT id FROM customer WHERE lastmodifieddate > '2026-01-01'",
        f"SELECT id FROM customer WHERE id IN ({', '.join(map(str, range(1001)))})",
        "SELECT c.id FROM customer c JOIN job j ON j.customer = c.id, contact k",
        "SELECT c.id FROM customer c JOIN job j ON j.customer = c.id WHERE c.entitystatus = j.id(+)",
        "DELETE FROM customer",
        "UPDATE customer SET email = NULL",
        "SELECT id FROM customer; SELECT id FROM job",
        "SELECT id FROM customer FOR UPDATE",
        "SELECT id, COUNT(*) FROM customer",
        "SELECT id FROM customer UNION SELECT id, entityid FROM customer",
        "SELECT id FROM",
        "SELECT id",
        "SELECT id FROM customer WHERE id",
        "SELECT id = 1 FROM customer",
        "SELECT id FROM customer WHERE id IN ()",
        "SELECT id FROM customer WHERE id > 99999999999999999999",
        "SELECT load_extension('x') FROM dual",
        "SELECT id FROM customer WHERE id = :now",
    ],
)
def test_what_suiteql_lacks_is_refused(caller: Caller, query: str) -> None:
    """A statement that only the stand-in could run would fail in production."""
    assert caller.refusal(query).endswith(UNSUPPORTED)


def test_words_within_texts_and_names_are_not_taken_for_syntax(caller: Caller) -> None:
    """`limit`, `?`, `[` and a comparison inside a text are only text."""
    assert caller.value("'limit [1] ? id > 5 NOW() :x'") == "limit [1] ? id > 5 NOW() :x"


def test_an_unknown_table_was_not_found(caller: Caller) -> None:
    """The same text as for a table that the role may not see."""
    assert "Record 'project' was not found." in caller.refusal("SELECT id FROM project")


def test_a_hidden_table_was_not_found(caller: Caller, switch: Switch) -> None:
    """A missing permission looks like a missing table."""
    switch(hidden_tables=["subsidiary"])

    assert "Record 'subsidiary' was not found." in caller.refusal("SELECT id FROM subsidiary")


def test_an_unknown_column_is_an_unknown_identifier(caller: Caller) -> None:
    """With the tables that could have it."""
    text = caller.refusal("SELECT c.id, c.shoesize FROM customer c, job j WHERE j.customer = c.id")

    assert text == (
        "Invalid search query. Detailed unprocessed description follows. Search error occurred: "
        "Unknown identifier 'shoesize'. Available identifiers are: {c=customer, j=job}."
    )


def test_an_unknown_column_may_be_worded_as_a_field(caller: Caller, switch: Switch) -> None:
    """Both wordings have been seen."""
    switch(unknown_column_text="field")

    assert "Field 'shoesize' for record 'customer' was not found" in caller.refusal("SELECT shoesize FROM customer")


def test_an_unknown_column_may_be_an_unexpected_error(caller: Caller, switch: Switch) -> None:
    """One project saw HTTP 500 for a merely invalid field."""
    switch(unknown_column_500=True)

    response = caller.post("SELECT shoesize FROM customer")

    assert response.status_code == 500
    assert response.json()["o:errorDetails"][0]["o:errorCode"] == "UNEXPECTED_ERROR"


def test_a_hidden_column_is_unknown(caller: Caller, switch: Switch) -> None:
    """Accounts differ in their columns."""
    switch(hidden_columns=["customer.fax"])

    assert "Unknown identifier 'fax'" in caller.refusal("SELECT fax FROM customer")


def test_the_stage_may_be_in_another_column(caller: Caller, switch: Switch) -> None:
    """One application reads `stage`, in capitals."""
    switch(stage_column="stage")

    assert caller.column("SELECT stage FROM customer ORDER BY id ASC") == ["LEAD", "CUSTOMER"]
    assert "Unknown identifier 'searchstage'" in caller.refusal("SELECT searchstage FROM customer")


def test_customer_has_a_subsidiary_column_in_some_accounts_only(caller: Caller, switch: Switch) -> None:
    """The primary one of its relationships."""
    assert "Unknown identifier 'subsidiary'" in caller.refusal("SELECT subsidiary FROM customer")

    switch(customer_subsidiary=True)

    assert caller.column("SELECT BUILTIN.DF(subsidiary) AS name FROM customer WHERE id = 1") == ["Nordic"]


def test_job_has_a_subsidiary_column_in_some_accounts_only(caller: Caller, switch: Switch) -> None:
    """Its customer's primary one."""
    assert "Unknown identifier 'subsidiary'" in caller.refusal("SELECT subsidiary FROM job")

    switch(job_subsidiary=True)

    assert caller.column("SELECT subsidiary FROM job WHERE id = 10") == ["7"]


def test_the_parent_of_a_sub_project_is_a_project_or_the_customer(caller: Caller, switch: Switch) -> None:
    """Not verified, so both can be had."""
    query = "SELECT parent FROM job WHERE id = 11"
    assert caller.column(query) == ["10"]

    switch(job_parent="customer")

    assert caller.column(query) == ["1"]


def test_display_values_come_from_the_referred_record(caller: Caller) -> None:
    """BUILTIN.DF of a reference, of a box, and of a null."""
    rows = caller.rows(
        "SELECT BUILTIN.DF(entitystatus) AS status, builtin.df(currency) AS money, BUILTIN.DF(isperson) AS person"
        " FROM customer ORDER BY id ASC"
    )

    assert rows == [{"status": "CUSTOMER-Closed Won", "money": "Swedish krona", "person": "No"}, {"person": "Yes"}]


def test_oracle_outer_joins_keep_rows_without_a_match(caller: Caller) -> None:
    """(+) marks the side that may be missing."""
    rows = caller.rows(
        "SELECT c.id, s.name FROM customer c, entitystatus s WHERE c.entitystatus = s.key(+) ORDER BY c.id ASC"
    )

    assert rows == [{"id": "1", "name": "CUSTOMER-Closed Won"}, {"id": "2"}]


def test_ansi_joins_work(caller: Caller) -> None:
    """LEFT JOIN and its ON."""
    rows = caller.rows(
        "SELECT c.id, j.id AS job FROM customer c LEFT JOIN job j ON j.customer = c.id ORDER BY 1 ASC, 2 ASC"
    )

    assert rows == [{"id": "1", "job": "10"}, {"id": "1", "job": "11"}, {"id": "2"}]


def test_grouping_counts(caller: Caller) -> None:
    """GROUP BY, HAVING and an aggregate in ORDER BY."""
    query = (
        "SELECT customer, COUNT(*) AS n, MAX(id) AS last FROM job GROUP BY customer HAVING COUNT(*) > 1 ORDER BY n DESC"
    )

    assert caller.rows(query) == [{"customer": "1", "n": "2", "last": "11"}]


def test_sub_selects_and_unions_work(caller: Caller) -> None:
    """IN, EXISTS, a correlated value, UNION ALL."""
    assert caller.column("SELECT id FROM customer WHERE id IN (SELECT customer FROM job)") == ["1"]
    assert caller.column(
        "SELECT id FROM customer c WHERE NOT EXISTS (SELECT 1 FROM job j WHERE j.customer = c.id)"
    ) == ["2"]
    assert caller.column("SELECT (SELECT MAX(j.id) FROM job j WHERE j.customer = c.id) AS m FROM customer c") == ["11"]
    assert caller.column("SELECT id FROM customer UNION ALL SELECT id FROM job ORDER BY 1 DESC") == [
        "11",
        "10",
        "2",
        "1",
    ]


def test_rownum_is_given_out_before_the_order(caller: Caller) -> None:
    """So the first by name needs a sub-select around the ordered query."""
    wrong = caller.column("SELECT id FROM job WHERE ROWNUM <= 1 ORDER BY id DESC")
    right = caller.column("SELECT id FROM (SELECT id FROM job ORDER BY id DESC) WHERE ROWNUM <= 1")

    assert (wrong, right) == (["10"], ["11"])


def test_fetch_first_can_be_unsupported(caller: Caller, switch: Switch) -> None:
    """Reported to work, not documented."""
    query = "SELECT id FROM customer ORDER BY id DESC FETCH FIRST 1 ROWS ONLY"
    assert caller.column(query) == ["2"]

    switch(fetch_first_allowed=False)

    assert caller.refusal(query).endswith(UNSUPPORTED)


def test_with_works_when_it_is_switched_on(caller: Caller, switch: Switch) -> None:
    """Documented as missing, used by others inside NetSuite."""
    switch(with_allowed=True)

    assert caller.column("WITH c AS (SELECT id FROM customer) SELECT id FROM c ORDER BY id ASC") == ["1", "2"]


def test_nulls_come_last_and_first_when_descending(caller: Caller) -> None:
    """To Oracle null is larger than everything."""
    assert caller.column("SELECT id FROM customer ORDER BY companyname ASC") == ["1", "2"]
    assert caller.column("SELECT id FROM customer ORDER BY companyname DESC") == ["2", "1"]


def test_between_may_leave_its_upper_bound_out(caller: Caller, switch: Switch) -> None:
    """One project saw it, and uses >= and < since."""
    query = "SELECT id FROM customer WHERE id BETWEEN 1 AND 2 ORDER BY id ASC"
    assert caller.column(query) == ["1", "2"]

    switch(between_half_open=True)

    assert caller.column(query) == ["1"]


def test_text_comparison_minds_capitals(caller: Caller) -> None:
    """As Oracle does, also in LIKE."""
    assert caller.column("SELECT id FROM customer WHERE firstname LIKE 'a%'") == []
    assert caller.column("SELECT id FROM customer WHERE firstname LIKE 'A%'") == ["2"]


def test_a_star_shows_every_column(caller: Caller) -> None:
    """Slow in NetSuite, but possible."""
    row = caller.rows("SELECT * FROM currency")[0]

    assert {"id", "name", "symbol", "lastmodifieddate"} <= row.keys()


def test_custom_fields_are_listed(caller: Caller) -> None:
    """The extraction finds custentity_ columns by this table."""
    scripts = caller.column("SELECT DISTINCT LOWER(scriptid) AS s FROM customfield ORDER BY 1 ASC")

    assert "custentity_oa_export_to_openair" in scripts


def test_addresses_can_be_read_under_both_names(account: NetSuiteSandbox, caller: Caller) -> None:
    """The address book's own table, and entityaddress with the same columns."""
    account.insert("customeraddressbookentityaddress", [{"nkey": 5, "city": "Umeå", "recordowner": 1}])
    account.insert("customeraddressbook", [{"entity": 1, "addressbookaddress": 5, "defaultbilling": True}])

    for table in ("customeraddressbookentityaddress", "entityaddress"):
        query = (
            f"SELECT a.city FROM customeraddressbook b, {table} a WHERE a.nkey = b.addressbookaddress AND b.entity = 1"
        )
        assert caller.column(query) == ["Umeå"]
