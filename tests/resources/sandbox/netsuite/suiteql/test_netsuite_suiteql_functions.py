"""Functions and syntax of SuiteQL, and NetSuite's errors for the rest."""

import pytest

from resources.sandbox.netsuite.server import NetSuiteSandbox
from tests.resources.sandbox.netsuite.api_client import ApiClient, SetSwitches

UNSUPPORTED = "Invalid or unsupported search."


@pytest.fixture(autouse=True)
def _records(account: NetSuiteSandbox) -> None:
    """Insert two customers, one with projects."""
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
def test_functions_work_as_in_oracle(client: ApiClient, expression: str, expected: str | None) -> None:
    """Each expression has one value; an omitted value is null, as in Oracle."""
    assert client.value(expression) == expected


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
def test_unsupported_statements_are_rejected(client: ApiClient, query: str) -> None:
    """A statement that works only in the sandbox would fail in production."""
    assert client.error_text(query).endswith(UNSUPPORTED)


def test_keywords_within_text_literals_are_text(client: ApiClient) -> None:
    """`limit`, `?`, `[` and a comparison inside a literal are text."""
    assert client.value("'limit [1] ? id > 5 NOW() :x'") == "limit [1] ? id > 5 NOW() :x"


def test_an_unknown_table_is_not_found(client: ApiClient) -> None:
    """The error is the same as for a table that the role may not see."""
    assert "Record 'project' was not found." in client.error_text("SELECT id FROM project")


def test_a_hidden_table_is_not_found(client: ApiClient, switch: SetSwitches) -> None:
    """A missing permission looks like a missing table."""
    switch(hidden_tables=["subsidiary"])

    assert "Record 'subsidiary' was not found." in client.error_text("SELECT id FROM subsidiary")


def test_an_unknown_column_is_an_unknown_identifier(client: ApiClient) -> None:
    """The error lists the tables of the statement."""
    text = client.error_text("SELECT c.id, c.shoesize FROM customer c, job j WHERE j.customer = c.id")

    assert text == (
        "Invalid search query. Detailed unprocessed description follows. Search error occurred: "
        "Unknown identifier 'shoesize'. Available identifiers are: {c=customer, j=job}."
    )


def test_an_unknown_column_may_be_reported_as_a_field(client: ApiClient, switch: SetSwitches) -> None:
    """Both texts have been observed."""
    switch(unknown_column_text="field")

    assert "Field 'shoesize' for record 'customer' was not found" in client.error_text("SELECT shoesize FROM customer")


def test_an_unknown_column_may_be_an_unexpected_error(client: ApiClient, switch: SetSwitches) -> None:
    """One project reports HTTP 500 for an invalid field."""
    switch(unknown_column_500=True)

    response = client.post("SELECT shoesize FROM customer")

    assert response.status_code == 500
    assert response.json()["o:errorDetails"][0]["o:errorCode"] == "UNEXPECTED_ERROR"


def test_a_hidden_column_is_unknown(client: ApiClient, switch: SetSwitches) -> None:
    """Accounts differ in their columns."""
    switch(hidden_columns=["customer.fax"])

    assert "Unknown identifier 'fax'" in client.error_text("SELECT fax FROM customer")


def test_the_stage_may_be_in_another_column(client: ApiClient, switch: SetSwitches) -> None:
    """One application reads `stage`, in upper case."""
    switch(stage_column="stage")

    assert client.column("SELECT stage FROM customer ORDER BY id ASC") == ["LEAD", "CUSTOMER"]
    assert "Unknown identifier 'searchstage'" in client.error_text("SELECT searchstage FROM customer")


def test_customer_has_a_subsidiary_column_in_some_accounts_only(client: ApiClient, switch: SetSwitches) -> None:
    """It is the primary subsidiary of the relationships."""
    assert "Unknown identifier 'subsidiary'" in client.error_text("SELECT subsidiary FROM customer")

    switch(customer_subsidiary=True)

    assert client.column("SELECT BUILTIN.DF(subsidiary) AS name FROM customer WHERE id = 1") == ["Nordic"]


def test_job_has_a_subsidiary_column_in_some_accounts_only(client: ApiClient, switch: SetSwitches) -> None:
    """It is the primary subsidiary of the customer."""
    assert "Unknown identifier 'subsidiary'" in client.error_text("SELECT subsidiary FROM job")

    switch(job_subsidiary=True)

    assert client.column("SELECT subsidiary FROM job WHERE id = 10") == ["7"]


def test_the_parent_of_a_sub_project_is_a_project_or_the_customer(client: ApiClient, switch: SetSwitches) -> None:
    """Not verified, so both are available."""
    query = "SELECT parent FROM job WHERE id = 11"
    assert client.column(query) == ["10"]

    switch(job_parent="customer")

    assert client.column(query) == ["1"]


def test_display_values_are_those_of_the_referenced_record(client: ApiClient) -> None:
    """BUILTIN.DF of a reference, of a checkbox, and of null."""
    rows = client.rows(
        "SELECT BUILTIN.DF(entitystatus) AS status, builtin.df(currency) AS money, BUILTIN.DF(isperson) AS person"
        " FROM customer ORDER BY id ASC"
    )

    assert rows == [{"status": "CUSTOMER-Closed Won", "money": "Swedish krona", "person": "No"}, {"person": "Yes"}]


def test_oracle_outer_joins_keep_rows_without_a_match(client: ApiClient) -> None:
    """(+) marks the optional side."""
    rows = client.rows(
        "SELECT c.id, s.name FROM customer c, entitystatus s WHERE c.entitystatus = s.key(+) ORDER BY c.id ASC"
    )

    assert rows == [{"id": "1", "name": "CUSTOMER-Closed Won"}, {"id": "2"}]


def test_ansi_joins_work(client: ApiClient) -> None:
    """LEFT JOIN with ON."""
    rows = client.rows(
        "SELECT c.id, j.id AS job FROM customer c LEFT JOIN job j ON j.customer = c.id ORDER BY 1 ASC, 2 ASC"
    )

    assert rows == [{"id": "1", "job": "10"}, {"id": "1", "job": "11"}, {"id": "2"}]


def test_grouping_works(client: ApiClient) -> None:
    """GROUP BY, HAVING and an aggregate in ORDER BY."""
    query = (
        "SELECT customer, COUNT(*) AS n, MAX(id) AS last FROM job GROUP BY customer HAVING COUNT(*) > 1 ORDER BY n DESC"
    )

    assert client.rows(query) == [{"customer": "1", "n": "2", "last": "11"}]


def test_subqueries_and_unions_work(client: ApiClient) -> None:
    """IN, EXISTS, a correlated value, UNION ALL."""
    assert client.column("SELECT id FROM customer WHERE id IN (SELECT customer FROM job)") == ["1"]
    assert client.column(
        "SELECT id FROM customer c WHERE NOT EXISTS (SELECT 1 FROM job j WHERE j.customer = c.id)"
    ) == ["2"]
    assert client.column("SELECT (SELECT MAX(j.id) FROM job j WHERE j.customer = c.id) AS m FROM customer c") == ["11"]
    assert client.column("SELECT id FROM customer UNION ALL SELECT id FROM job ORDER BY 1 DESC") == [
        "11",
        "10",
        "2",
        "1",
    ]


def test_rownum_is_assigned_before_the_order(client: ApiClient) -> None:
    """The first row by name needs a subquery around the ordered query."""
    wrong = client.column("SELECT id FROM job WHERE ROWNUM <= 1 ORDER BY id DESC")
    right = client.column("SELECT id FROM (SELECT id FROM job ORDER BY id DESC) WHERE ROWNUM <= 1")

    assert (wrong, right) == (["10"], ["11"])


def test_fetch_first_can_be_unsupported(client: ApiClient, switch: SetSwitches) -> None:
    """It is reported to work but undocumented."""
    query = "SELECT id FROM customer ORDER BY id DESC FETCH FIRST 1 ROWS ONLY"
    assert client.column(query) == ["2"]

    switch(fetch_first_allowed=False)

    assert client.error_text(query).endswith(UNSUPPORTED)


def test_with_works_if_enabled(client: ApiClient, switch: SetSwitches) -> None:
    """Documented as unsupported, used by others inside NetSuite."""
    switch(with_allowed=True)

    assert client.column("WITH c AS (SELECT id FROM customer) SELECT id FROM c ORDER BY id ASC") == ["1", "2"]


def test_nulls_are_last_and_first_if_descending(client: ApiClient) -> None:
    """In Oracle null is greater than any value."""
    assert client.column("SELECT id FROM customer ORDER BY companyname ASC") == ["1", "2"]
    assert client.column("SELECT id FROM customer ORDER BY companyname DESC") == ["2", "1"]


def test_between_may_exclude_its_upper_bound(client: ApiClient, switch: SetSwitches) -> None:
    """One project reports it, and uses >= and < instead."""
    query = "SELECT id FROM customer WHERE id BETWEEN 1 AND 2 ORDER BY id ASC"
    assert client.column(query) == ["1", "2"]

    switch(between_half_open=True)

    assert client.column(query) == ["1"]


def test_text_comparison_is_case_sensitive(client: ApiClient) -> None:
    """As in Oracle, LIKE included."""
    assert client.column("SELECT id FROM customer WHERE firstname LIKE 'a%'") == []
    assert client.column("SELECT id FROM customer WHERE firstname LIKE 'A%'") == ["2"]


def test_a_star_selects_every_column(client: ApiClient) -> None:
    """It is slow in NetSuite, but possible."""
    row = client.rows("SELECT * FROM currency")[0]

    assert {"id", "name", "symbol", "lastmodifieddate"} <= row.keys()


def test_custom_fields_are_listed(client: ApiClient) -> None:
    """The extraction finds custentity_ columns in this table."""
    scripts = client.column("SELECT DISTINCT LOWER(scriptid) AS s FROM customfield ORDER BY 1 ASC")

    assert "custentity_oa_export_to_openair" in scripts


def test_addresses_can_be_read_under_both_names(account: NetSuiteSandbox, client: ApiClient) -> None:
    """The address book's own table, and entityaddress with the same columns."""
    account.insert("customeraddressbookentityaddress", [{"nkey": 5, "city": "Umeå", "recordowner": 1}])
    account.insert("customeraddressbook", [{"entity": 1, "addressbookaddress": 5, "defaultbilling": True}])

    for table in ("customeraddressbookentityaddress", "entityaddress"):
        query = (
            f"SELECT a.city FROM customeraddressbook b, {table} a WHERE a.nkey = b.addressbookaddress AND b.entity = 1"
        )
        assert client.column(query) == ["Umeå"]
