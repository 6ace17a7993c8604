"""Translation of Oracle functions by name: typed arguments to typed SQLite (netsuite.md §1.3)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from resources.sandbox.netsuite.errors import unsupported
from resources.sandbox.netsuite.store.tables import READABLE
from resources.sandbox.netsuite.suiteql.oracle_dates import DAY, PACIFIC, STANDARD
from resources.sandbox.netsuite.suiteql.typed import (
    NULL,
    TIMES,
    Typed,
    ValueKind,
    as_local,
    as_utc_sql,
    comparable,
    quoted,
    unified,
)
from resources.sandbox.netsuite.switches import NetSuiteSwitches

Arguments = Sequence[Typed]
Handler = Callable[[Arguments, NetSuiteSwitches], Typed]


def _direct(name: str, kind: ValueKind, least: int = 1, most: int = 1) -> Handler:
    """Return the handler of a function that SQLite or `sqlite_functions` has."""

    def handler(arguments: Arguments, _: NetSuiteSwitches) -> Typed:
        if not least <= len(arguments) <= most:
            raise unsupported(f"{name}: {len(arguments)} arguments")
        return Typed(f"{name}({', '.join(each.sql for each in arguments)})", kind)

    return handler


def _local(name: str, most: int) -> Handler:
    """Return the handler of a function of local times; instants are converted to their zone."""

    def handler(arguments: Arguments, _: NetSuiteSwitches) -> Typed:
        if not 1 <= len(arguments) <= most:
            raise unsupported(f"{name}: {len(arguments)} arguments")
        sql = ", ".join(as_local(each).sql for each in arguments)
        return Typed(f"{name}({sql})", "number" if name == "ns_months_between" else "local")

    return handler


def _to_char(arguments: Arguments, switches: NetSuiteSwitches) -> Typed:
    value = as_local(arguments[0])
    if value.kind != "local":
        return Typed(f"ns_text({value.sql})", "text")
    if len(arguments) == 1:
        return Typed(f"ns_day({value.sql}, {quoted(switches.date_format)})", "text")
    pattern = arguments[1].sql
    if pattern.upper() == quoted(STANDARD):
        return Typed(value.sql, "text")
    if pattern.upper() == quoted(DAY):
        return Typed(f"substr({value.sql}, 1, 10)", "text")
    return Typed(f"ns_to_char({value.sql}, {pattern})", "text")


def _to_date(arguments: Arguments, switches: NetSuiteSwitches) -> Typed:
    if len(arguments) != 2:  # noqa: PLR2004
        raise unsupported(f"a date without its format; the user's is {switches.date_format}")
    return Typed(f"ns_to_date({arguments[0].sql}, {arguments[1].sql})", "local")


def _to_timestamp_tz(arguments: Arguments, switches: NetSuiteSwitches) -> Typed:
    text, pattern = (each.sql for each in arguments)
    zone = switches.session_zone
    return Typed(f"ns_to_timestamp_tz({text}, {pattern}, {quoted(zone)})", "instant", zone=zone)


def _sys_extract_utc(arguments: Arguments, switches: NetSuiteSwitches) -> Typed:
    value = arguments[0]
    if value.kind not in TIMES:
        raise unsupported("SYS_EXTRACT_UTC takes a timestamp")
    if not switches.sys_extract_utc_works and value.name:
        raise unsupported("SYS_EXTRACT_UTC on a column: switched off")
    return Typed(as_utc_sql(value, switches.session_zone, switches.ambiguous_hour), "local")


def _from_tz(arguments: Arguments, switches: NetSuiteSwitches) -> Typed:
    value, zone = arguments[0], arguments[1].sql
    return Typed(
        f"ns_utc({value.sql}, {zone}, {quoted(switches.ambiguous_hour)})", "instant", zone=switches.session_zone
    )


def _trunc(arguments: Arguments, _: NetSuiteSwitches) -> Typed:
    value = as_local(arguments[0])
    rest = "".join(f", {each.sql}" for each in arguments[1:])
    if value.kind == "local":
        return Typed(f"ns_trunc_date({value.sql}{rest})", "local")
    return Typed(f"ns_trunc({value.sql}{rest})", "number")


def _coalesce(arguments: Arguments, _: NetSuiteSwitches) -> Typed:
    branches, kind = unified(arguments)
    return replace(kind, sql=f"coalesce({', '.join(branches)})" if len(branches) > 1 else branches[0])


def _nvl2(arguments: Arguments, _: NetSuiteSwitches) -> Typed:
    (present, absent), kind = unified(arguments[1:])
    return replace(kind, sql=f"CASE WHEN {arguments[0].sql} IS NOT NULL THEN {present} ELSE {absent} END")


def _decode(arguments: Arguments, switches: NetSuiteSwitches) -> Typed:
    """Translate DECODE with IS instead of =, because it treats two nulls as equal."""
    searched, rest = arguments[0], list(arguments[1:])
    default = rest.pop() if len(rest) % 2 else NULL
    results, kind = unified([*rest[1::2], default])
    cases = []
    for each, result in zip(rest[::2], results, strict=False):
        left, right = comparable(searched, each, switches.ambiguous_hour)
        cases.append(f"WHEN {left} IS {right} THEN {result}")
    return replace(kind, sql=f"CASE {' '.join(cases)} ELSE {results[-1]} END")


def _nullif(arguments: Arguments, switches: NetSuiteSwitches) -> Typed:
    left, right = comparable(arguments[0], arguments[1], switches.ambiguous_hour)
    return replace(arguments[0], sql=f"nullif({left}, {right})", required=False)


def _greatest_or_least(function: str) -> Handler:
    def handler(arguments: Arguments, _: NetSuiteSwitches) -> Typed:
        values, kind = unified(arguments)
        return replace(kind, sql=f"{function}({', '.join(values)})" if len(values) > 1 else values[0])

    return handler


def _substr(arguments: Arguments, _: NetSuiteSwitches) -> Typed:
    """Translate SUBSTR: Oracle treats position 0 as 1, and an empty result as null."""
    text, start, *length = (each.sql for each in arguments)
    rest = "".join(f", {each}" for each in length)
    return Typed(f"nullif(substr({text}, CASE {start} WHEN 0 THEN 1 ELSE {start} END{rest}), '')", "text")


def _concat(arguments: Arguments, _: NetSuiteSwitches) -> Typed:
    return concatenated(arguments)


def concatenated(parts: Arguments) -> Typed:
    """Translate `a || b`; Oracle treats null as an empty string here."""
    texts = (f"coalesce({'ns_text' if each.kind == 'number' else ''}({as_local(each).sql}), '')" for each in parts)
    return Typed(f"nullif({' || '.join(texts)}, '')", "text")


def _replacing(name: str) -> Handler:
    """Return the handler of a replacing function; without a replacement the matches are removed."""

    def handler(arguments: Arguments, _: NetSuiteSwitches) -> Typed:
        text, old, *new = (each.sql for each in arguments)
        return Typed(f"nullif({name}({text}, {old}, coalesce({new[0] if new else 'NULL'}, '')), '')", "text")

    return handler


def _unchanged(arguments: Arguments, _: NetSuiteSwitches) -> Typed:
    return arguments[0]


def _trimming(name: str) -> Handler:
    """Return the handler of a text function whose empty result is null."""

    def handler(arguments: Arguments, _: NetSuiteSwitches) -> Typed:
        if not 1 <= len(arguments) <= 2:  # noqa: PLR2004 - the text, and the characters to remove
            raise unsupported(f"{name}: {len(arguments)} arguments")
        return Typed(f"nullif({name}({', '.join(each.sql for each in arguments)}), '')", "text")

    return handler


HANDLERS: Mapping[str, Handler] = {
    "ABS": _direct("abs", "number"),
    "ADD_MONTHS": _local("ns_add_months", 2),
    "CEIL": _direct("ns_ceil", "int"),
    "COALESCE": _coalesce,
    "CONCAT": _concat,
    "DECODE": _decode,
    "FLOOR": _direct("ns_floor", "int"),
    "FROM_TZ": _from_tz,
    "GREATEST": _greatest_or_least("max"),
    "INSTR": _direct("ns_instr", "int", 2, 4),
    "LAST_DAY": _local("ns_last_day", 1),
    "LEAST": _greatest_or_least("min"),
    "LENGTH": _direct("length", "int"),
    "LOWER": _direct("ns_lower", "text"),
    "LPAD": _direct("ns_lpad", "text", 2, 3),
    "LTRIM": _trimming("ltrim"),
    "MOD": lambda arguments, _: Typed(f"({arguments[0].sql} % {arguments[1].sql})", "int"),
    "MONTHS_BETWEEN": _local("ns_months_between", 2),
    "NULLIF": _nullif,
    "NVL": _coalesce,
    "NVL2": _nvl2,
    "ORA_HASH": _direct("ns_ora_hash", "int"),
    "REGEXP_INSTR": _direct("ns_regexp_instr", "int", 2, 2),
    "REGEXP_REPLACE": _replacing("ns_regexp_replace"),
    "REGEXP_SUBSTR": _direct("ns_regexp_substr", "text", 2, 2),
    "REPLACE": _replacing("replace"),
    "ROUND": _direct("round", "number", 1, 2),
    "RPAD": _direct("ns_rpad", "text", 2, 3),
    "RTRIM": _trimming("rtrim"),
    "SIGN": _direct("sign", "int"),
    "SUBSTR": _substr,
    "SYS_EXTRACT_UTC": _sys_extract_utc,
    "TO_CHAR": _to_char,
    "TO_CLOB": _unchanged,
    "TO_DATE": _to_date,
    "TO_NUMBER": lambda arguments, _: Typed(f"CAST({arguments[0].sql} AS NUMERIC)", "number"),
    "TO_TIMESTAMP": _to_date,
    "TO_TIMESTAMP_TZ": _to_timestamp_tz,
    "TRANSLATE": _direct("ns_translate", "text", 3, 3),
    "TRUNC": _trunc,
    "TZ_OFFSET": _direct("ns_tz_offset", "text"),
    "UPPER": _direct("ns_upper", "text"),
}


def function_call(name: str, arguments: Arguments, switches: NetSuiteSwitches) -> Typed:
    """Translate a function call.

    Raises:
        ApiError: The function is not supported, or not with these arguments.
    """
    handler = HANDLERS.get(name)
    if not handler or not arguments:
        raise unsupported(f"function {name} is not supported")
    try:
        return handler(arguments, switches)
    except (ValueError, IndexError) as error:
        raise unsupported(f"{name}: wrong number of arguments") from error


def current_time(name: str, switches: NetSuiteSwitches) -> Typed:
    """Return CURRENT_TIMESTAMP and the like; SYSDATE is the server's time, which is Pacific."""
    moment = Typed(":now", "instant", zone=PACIFIC if name == "SYSDATE" else switches.session_zone)
    return moment if name == "CURRENT_TIMESTAMP" else as_local(moment)


def display_value(value: Typed) -> Typed:
    """Translate BUILTIN.DF: the display value of a reference or checkbox."""
    if value.kind == "bool":
        return Typed(f"CASE {value.sql} WHEN 'T' THEN 'Yes' WHEN 'F' THEN 'No' END", "text")
    if not value.refers:
        return replace(value, name="")
    table = READABLE[value.refers]
    sql = f'(SELECT ns_df."{table.display}" FROM "{table.name}" AS ns_df WHERE ns_df."{table.key}" = {value.sql})'
    return Typed(sql, "text")
