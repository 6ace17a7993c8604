"""Parse Oracle's advanced mapping notation: declarations, mapping forms, filters and IF blocks.

text  ->  parse()  ->  Notation(declared, forms, branches, filter)

Source: suiteprojects_connector.md §4.3 to §4.5. Names are case-sensitive, keywords upper case; `#` begins a comment.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

DECLARATIONS = (
    "NS_FIELDS_INITIAL_ONLY", "OA_CUSTOM_FIELDS_INITIAL_ONLY", "OA_FIELDS_INITIAL_ONLY", "NS_CUSTOM_FIELDS",
    "OA_CUSTOM_FIELDS", "NS_FIELDS", "OA_FIELDS",
)  # fmt: skip
MACROS = {"_TODAY"}
_NAME = r"[A-Za-z_][A-Za-z0-9_.]*"
_LITERAL = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_OPENING = re.compile(rf"<(?P<target>{_NAME})\s+(?P<source>{_NAME})\s*>")
_BLOCK = re.compile(r"^(FILTER|IF) <<END$")
_WRAPPER = re.compile(r"^</?[A-Z][A-Z_]*>$")
_PART = re.compile(rf"\s*(?:(?P<literal>{_LITERAL})|(?P<name>{_NAME})|(?P<newline>\\+n))\s*(?:,|$)")
_ROW = re.compile(rf"^(?P<target>{_NAME})\s+(?P<value>.+)$")


class NotationError(Exception):
    """Invalid notation; the text names the line."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")


@dataclass(frozen=True)
class Part:
    """One part of a concatenation: a field name, a macro or a literal."""

    text: str
    literal: bool = False


@dataclass(frozen=True)
class Form:
    """One mapping form: the source of a target field."""

    target: str
    parts: tuple[Part, ...] = ()
    lookup: Mapping[str, str] = field(default_factory=dict)  # lookup, lookup_table, lookup_by, lookup_return
    values: Mapping[str, str] | None = None  # value list of the only part


@dataclass(frozen=True)
class Branch:
    """`IF (…) THEN form`, or `ELSE form` without a condition."""

    condition: str | None
    form: Form


@dataclass
class Notation:
    """The content of one text."""

    declared: dict[str, set[str]] = field(default_factory=dict)
    forms: list[Form] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)
    filter: str | None = None


def parse(text: str) -> Notation:
    """Parse one text.

    Raises:
        NotationError: A line is not a valid form, a block or tag is not closed, or a name is declared twice.
    """
    notation, lines = Notation(), _lines(text)
    for number, line in lines:
        block = _BLOCK.match(line)
        keyword = line.split(maxsplit=1)[0]
        if _WRAPPER.match(line):
            continue
        if keyword in DECLARATIONS:
            _declare(notation, number, keyword, line[len(keyword) :])
        elif block:
            _add_block(notation, block[1], number, _body(lines, number, block[1]))
        elif line.startswith("<"):
            notation.forms.append(_value_list(line, number, lines))
        else:
            notation.forms.append(_form(line, number))
    return notation


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def _declare(notation: Notation, number: int, keyword: str, listed: str) -> None:
    declared = notation.declared.setdefault(keyword, set())
    for name in (each.strip() for each in listed.split(",")):
        if not re.fullmatch(_NAME, name):
            raise NotationError(number, f"{keyword}: `{name}` is not a field name")
        if name in declared:
            raise NotationError(number, f"{keyword} declares `{name}` twice")
        declared.add(name)


def _body(lines: Iterator[tuple[int, str]], number: int, keyword: str) -> list[tuple[int, str]]:
    body: list[tuple[int, str]] = []
    for inner, line in lines:
        if line == "END":
            return body
        body.append((inner, line))
    raise NotationError(number, f"{keyword} <<END is not closed: END must be alone on its line")


def _add_block(notation: Notation, keyword: str, number: int, body: list[tuple[int, str]]) -> None:
    if not body:
        raise NotationError(number, f"{keyword} <<END is empty")
    if keyword == "FILTER":
        if notation.filter is not None:
            raise NotationError(number, "a second FILTER; only one is allowed")
        notation.filter = "\n".join(line for _, line in body)
        return
    if notation.branches:
        raise NotationError(number, "a second IF block; only one is allowed")
    notation.branches = [_branch(line, inner) for inner, line in body]


def _branch(line: str, number: int) -> Branch:
    if line.startswith("ELSE "):
        return Branch(None, _form(line.removeprefix("ELSE ").strip(), number))
    condition, found, form = line.partition(" THEN ")
    if not line.startswith("IF ") or not found:
        raise NotationError(number, "a line of an IF block must be `IF (…) THEN target value` or `ELSE target value`")
    return Branch(condition.removeprefix("IF ").strip(), _form(form.strip(), number))


def _value_list(line: str, number: int, lines: Iterator[tuple[int, str]]) -> Form:
    opening = _OPENING.match(line)
    if not opening:
        raise NotationError(number, "a value list must begin with <target source>")
    closing, text = f"</{opening['target']}>", line[opening.end() :]
    while closing not in text:
        following = next(lines, None)
        if following is None:
            raise NotationError(number, f"the value list is not closed: {closing} is missing")
        text += f" {following[1]}"
    inside, _, after = text.partition(closing)
    words = re.findall(_LITERAL, inside)
    if after.strip() or re.sub(_LITERAL, "", inside).strip() or len(words) % 2:
        raise NotationError(number, "a value list must consist of pairs of quoted values")
    values = [_unquoted(word) for word in words]
    if len(set(values[::2])) < len(values[::2]):
        raise NotationError(number, "the value list contains a value twice")
    pairs = dict(zip(values[::2], values[1::2], strict=True))
    return Form(opening["target"], (Part(opening["source"]),), values=pairs)


def _form(line: str, number: int) -> Form:
    found = _ROW.match(line)
    if not found:
        raise NotationError(number, "neither a declaration nor `target source`")
    target, value = found["target"], found["value"].strip()
    if value.startswith("lookup="):
        return Form(target, lookup=_lookup(value, number))
    return Form(target, _parts(value, number))


def _lookup(value: str, number: int) -> dict[str, str]:
    lookup = dict(part.partition("=")[::2] for part in value.split(":"))
    needed = {"lookup", "lookup_table", "lookup_by", "lookup_return"}
    if set(lookup) != needed or not all(re.fullmatch(_NAME, each) for each in lookup.values()):
        raise NotationError(number, f"a lookup needs {', '.join(sorted(needed))}, each with a name")
    return lookup


def _parts(value: str, number: int) -> tuple[Part, ...]:
    """Return the parts of a source: `entityId,' ',companyName`."""
    parts, position = [], 0
    while position < len(value):
        found = _PART.match(value, position)
        if not found:
            raise NotationError(number, f"the source is invalid at character {position + 1}")
        literal = found["literal"]
        if found["newline"]:
            parts.append(Part("\n", literal=True))
        else:
            parts.append(Part(_unquoted(literal), literal=True) if literal else Part(found["name"]))
        position = found.end()
    if not parts or value.rstrip().endswith(","):
        raise NotationError(number, "the source ends with a comma, or is blank")
    return tuple(parts)


def _unquoted(literal: str) -> str:
    r"""Return the text between the quotes; `\n` or `\\n` is a line break, a backslash escapes a quote."""
    inside = re.sub(r"\\+n", "\n", literal[1:-1])
    return re.sub(r"\\(['\"\\])", r"\1", inside)
