"""A person's SQL reads the columns of one record: no file, no address, no setting, no clock, not even while parsed."""

import inspect
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from assets.delivery.errors import MappingError
from assets.delivery.spec import sql_check
from assets.delivery.spec.expressions import parse

DOCS = Path(inspect.getfile(sql_check)).parents[3] / "docs" / "workflows" / "sql.md"


class Listener:
    """A socket that counts who connects."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    """A socket on this machine."""
    opened = Listener()
    yield opened
    opened.close()


QUERIES = [
    "select 1 from read_csv('{}')",
    "from read_csv('{}')",
    "with x as (select 1 from read_csv('{}')) select 1 from x",
    "values (1)",
    "table x",
    "SELECT a FROM '{}'",
    "sElEcT 1 from read_parquet('{}')",
    "select 1 from read_ipc('{}')",
    "select 1 from read_json('{}')",
    "select 1 from glob('{}')",
    "select 1 from sniff_csv('{}')",
    "select 1 from query('select 1')",
    'select 1 from "{}"',
    "/**/select 1 from read_csv('{}')",
    "--\nselect 1 from read_csv('{}')",
    "((select 1 from read_csv('{}')))",
]  # fmt: skip
PLACES = [
    "({})", "exists({})", "a in ({})", "a not in ({})", "a = any({})", "a = some({})", "a > all({})", "array({})",
    "coalesce(a, ({}))", "case when ({}) then 1 end", "upper(({}))", "1 + ({})", "a between ({}) and 2", "not ({})",
    "({}) is null", "cast(({}) as varchar)", "a[({})]", "array[({})]", "extract(year from ({}))", "'x' || ({})",
    "interval ({})", "({})::int", "if(a, ({}), 1)", "a like ({})", "{}", "trim(both 'x' from ({}))", "'' ''({})",
    "'it''s' || ({})", '"q""" || ({})', "'\\' || ({}) || '\\'", "e'\\' || ({}) || '", "$$' $$ || ({}) || $$ '$$",
    "`'` || ({}) || `'`", "/* ' */ ({}) /* ' */", "a --'\n || ({}) --'", "u&'\\' || ({}) || '", "[({})]",
    "{{'a': ({})}}",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("address", ["/nope", "http"])
def test_a_subquery_is_refused_wherever_it_stands(listener: Listener, query: str, address: str) -> None:
    """Polars opens files and addresses while it parses one."""
    where = address if address != "http" else f"http://127.0.0.1:{listener.port}/x"
    for place in PLACES:
        with pytest.raises(MappingError):
            parse(place.format(query.format(where)))
    assert listener.connections == 0


PIECES = st.sampled_from([
    "(", ")", ",", "'", '"', "''", "\\", "--", "\n", "/*", "*/", "$$", "$a$", "`", " ", " a ", " || ", " = ",
    "e'", "r'", "n'",
    "u&'", "x'", "b'", "[", "]", "1", ".", "::int", " and ", " not ", " in ", "case when ", " then ", " end",
    "coalesce(",
    "exists", " any ", " as b ", ";", "#", "{", "}", "@", ":", "?", "\x00", "\u00a0", "\u2028", "\ufeff", "%",
    "//", "^", "&",
    " from ", "select ", "SUBQUERY", "(SUBQUERY)", " in (SUBQUERY)",
])  # fmt: skip


@given(st.lists(PIECES, max_size=14).map("".join))
@settings(max_examples=400, deadline=None)
def test_no_text_reaches_polars_as_a_subquery(listener: Listener, text: str) -> None:
    """The check and Polars split a text alike: what one takes for a quoted text, the other does not execute."""
    attack = text.replace("SUBQUERY", f"select a from read_csv('http://127.0.0.1:{listener.port}/x')")
    try:
        parsed = str(parse(attack))
    except MappingError:
        parsed = ""
    assert "subplan" not in parsed
    assert "_POLARS_TMP" not in parsed
    assert listener.connections == 0


@pytest.mark.parametrize(
    "statement",
    [
        "copy a to '/nope/x'", "attach '/nope' as x", "install httpfs", "load httpfs", "pragma database_list",
        "set x = 1", "a; select 1", "create macro f(x) as x", "import database '/nope'", "call f()", "use x",
        "select 1",
        "getenv('HOME')", "read_text('/etc/passwd')", "read_blob('/nope')", "glob('/*')", "sniff_csv('/nope')",
        "query('select 1')", "query_table('x')", "current_setting('x')", "getvariable('x')", "which_secret('x')",
        "current_user", "current_database()", "version()", "random()", "uuid()", "nextval('x')", "columns('x')",
        '"^.*$" is null', '"*" is null', "a.b", "a -> 'b'", "a ->> 'b'", "x -> x + 1", "a as b", "a, b", "*", "?",
        "$1", ":x",
        "@x", "", " ", "'", '"',
    ],
)  # fmt: skip
def test_what_is_not_listed_is_refused(statement: str) -> None:
    """Statements, functions that read settings or files, names that stand for several columns, parameters."""
    with pytest.raises(MappingError):
        parse(statement)


ENDLESS_S = 10  # of processor time: what is refused or evaluated takes less than one, without the limits it never ends
SIZE = 5000


@pytest.mark.parametrize(
    "text",
    [
        "(" * SIZE + "a" + ")" * SIZE,
        "(" * SIZE,
        "not " * SIZE + "a",
        "- " * SIZE + "a",
        "cast(" * 60 + "a" + " as varchar)" * 60,
        "cast(" * 20 + "not " * 20 + "a" + " as varchar)" * 20,
        "case when a then " * SIZE + "b" + " end" * SIZE,
        "case " + "when a then b " * 2000 + "end",
        " or ".join(["a = 1"] * SIZE),
        " and ".join(["a"] * SIZE),
        " || ".join(["a"] * SIZE),
        "a" + "::int" * SIZE,
        "a" + " is null" * 3000,
        "a" + "[1]" * SIZE,
        "[" * SIZE,
        "coalesce(" * 40 + "a" + ")" * 40,
        "a in (" * 50 + "1" + ")" * 50,
        "date(" * 23 + "a" + ")" * 23,
        "array[" * 23 + "a" + "]" * 23,
        "a[" * 23 + "a" + "]" * 23,
        "dayofweek(" * 23 + "a" + ")" * 23,
        "nullif(" * 23 + "a" + ", 'x')" * 23,
        "(" * 23 + "a" + " between 1 and 2)" * 23,
        "case " * 5 + "a" + " when 1 then 2" * 20 + (" end" + " when 1 then 2" * 20) * 4 + " end",
        "split_part(" * 12 + "a" + ", ':', 1)" * 12,
        "a in (" + ", ".join(["a"] * 1000) + ")",
        "'" + "x" * 2_000_000 + "'",
        "a" * 2_000_000,
    ],
    ids=lambda text: text[:12],
)
def test_a_deep_or_long_expression_is_a_short_error(text: str) -> None:
    """Polars' parser would crash the process, or not end."""
    sql_check.check.cache_clear()
    began = time.process_time()

    with pytest.raises(MappingError) as caught:
        parse(text, "flow.customers.name")

    assert time.process_time() - began < ENDLESS_S
    assert len(str(caught.value)) < 600
    assert re.search(
        "too deep: at most 24 levels|longer than 30000 characters|not an SQL expression", str(caught.value)
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("lpad(name, 2000000000, 'x')", "at most 10,000"), ("rpad(name, 10001)", "at most 10,000"),
        ("lpad(name, 9000 * 9000)", "at most 10,000"), ("lpad(name, n)", "at most 10,000"),
        ("cast(name as decimal(99, 2))", "1 to 38"), ("n::decimal(0, 0)", "1 to 38"),
        ("cast(name as numeric(1, 5))", "1 to 38"), ("try_cast(name as decimal(39))", "1 to 38"),
    ],
)  # fmt: skip
def test_a_number_that_would_end_the_process_is_refused(text: str, reason: str) -> None:
    """Polars asks for that much memory, or panics, which no `except Exception` catches."""
    with pytest.raises(MappingError, match=reason):
        parse(text)


@pytest.mark.parametrize(
    "text", ["lpad(a, 10000, '0')", "rpad(a, 5)", "a::decimal(38, 38)", "a::decimal(10)", "a::decimal"]
)
def test_numbers_up_to_the_limits_are_supported(text: str) -> None:
    """The widest padding, and the largest decimals."""
    assert pl.DataFrame({"a": ["0"]}).select(parse(text)).height == 1


def test_an_expression_within_the_limits_is_evaluated() -> None:
    """The limits are set where Polars still answers."""
    chains = [" or ".join(["a = 'x'"] * 99), " || ".join(["a"] * 99), "case " + "when a = 'x' then a " * 99 + "end"]
    deep = ["coalesce(" * 23 + "a" + ")" * 23, "cast(" * 23 + "a" + " as varchar)" * 23, "(" * 23 + "a" + ")" * 23]
    wide = ["a in (" + ", ".join(f"'{number}'" for number in range(3000)) + ")"]
    table = pl.DataFrame({"a": ["x", "y"]})
    for text in (*chains, *deep, *wide):
        began = time.process_time()
        table.select(parse(text).alias("value"))
        assert time.process_time() - began < ENDLESS_S, text[:40]


def documented() -> list[str]:
    """Return the calls that the documentation lists."""
    listed = re.search(r"<!-- functions -->\n(.*?)<!-- end -->", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert listed
    return re.findall(r"`([^`]+)`", listed[1])


SAMPLE = pl.DataFrame({
    "text": ["a:b", "2026-01-02", None], "n": [1.0, 2.0, None], "i": [1, 2, None], "list": [["a"], ["b", "c"], None],
    "numbers": [[1], [2, 3], None], "day": pl.Series(["2026-01-02", "2025-02-03", None]).str.to_date(),
    "flag": [True, False, None],
})  # fmt: skip


@pytest.mark.parametrize("call", documented())
def test_a_documented_function_has_one_value_per_record(call: str) -> None:
    """Evaluated with other records or alone, a record has the same value."""
    expression = parse(call).alias("value")

    together = SAMPLE.select(expression)
    alone = pl.concat([part.select(expression) for part in SAMPLE.iter_slices(1)])

    assert together.height == (1 if not expression.meta.root_names() else SAMPLE.height)
    if expression.meta.root_names():
        assert together.equals(alone)


def test_every_allowed_function_is_documented() -> None:
    """A function that no test evaluates record by record is not allowed either."""
    seen = [parse_one(call, dialect="postgres", into=exp.Condition) for call in documented()]
    kinds = {type(node) for tree in seen for node in tree.walk()}
    names = {node.name.lower() for tree in seen for node in tree.walk() if isinstance(node, exp.Anonymous)}

    assert set(sql_check._FUNCTIONS) <= kinds
    assert names == sql_check._UNPARSED
