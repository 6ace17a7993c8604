"""Oracle's advanced mapping notation, as its connector exports it: declarations, mapping forms, filters, conditionals.

text  ->  parse()  ->  Notation(declared, forms, filter)

Source: suiteprojects_connector.md §4.3 to §4.5. Case counts, keywords are capitals, `#` begins a comment line.
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
_ROW = re.compile(rf"^(?P<target>{_NAME})\s+(?P<value>.+)$")


class NotationError(Exception):
    """The text is not in the notation; it says the line and what is wrong."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")


@dataclass(frozen=True)
class Part:
    """One part of a concatenation: a field's name, a macro or a literal."""

    text: str
    literal: bool = False


@dataclass(frozen=True)
class Form:
    """One mapping form: what fills the target."""

    target: str
    line: int
    parts: tuple[Part, ...] = ()
    lookup: Mapping[str, str] = field(default_factory=dict)  # lookup, lookup_table, lookup_by, lookup_return
    values: Mapping[str, str] | None = None  # value list of the one part


@dataclass(frozen=True)
class Branch:
    """`IF (…) THEN form`, or `ELSE form` with no condition."""

    condition: str | None
    form: Form


@dataclass
class Notation:
    """What one text says."""

    declared: dict[str, set[str]] = field(default_factory=dict)
    forms: list[Form] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)
    filter: str | None = None


def parse(text: str) -> Notation:
    """Read one text.

    Raises:
        NotationError: A line is none of the forms, a block or tag is not closed, a name is declared twice.
    """
    said, lines = Notation(), _lines(text)
    for number, line in lines:
        block = _BLOCK.match(line)
        word = line.split(maxsplit=1)[0]
        if _WRAPPER.match(line):
            continue
        if word in DECLARATIONS:
            _declare(said, number, word, line[len(word) :])
        elif block:
            _block(said, block[1], number, _body(lines, number, block[1]))
        elif line.startswith("<"):
            said.forms.append(_value_list(line, number, lines))
        else:
            said.forms.append(_form(line, number))
    return said


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def _declare(said: Notation, number: int, word: str, listed: str) -> None:
    names = [name.strip() for name in listed.split(",")]
    for name in names:
        if not re.fullmatch(_NAME, name):
            raise NotationError(number, f"{word}: `{name}` is no field name")
        if name in said.declared.setdefault(word, set()):
            raise NotationError(number, f"{word} declares `{name}` twice")
        said.declared[word].add(name)


def _body(lines: Iterator[tuple[int, str]], number: int, word: str) -> list[tuple[int, str]]:
    body: list[tuple[int, str]] = []
    for inner, line in lines:
        if line == "END":
            return body
        body.append((inner, line))
    raise NotationError(number, f"{word} <<END is not closed: END must stand alone on its line")


def _block(said: Notation, word: str, number: int, body: list[tuple[int, str]]) -> None:
    if not body:
        raise NotationError(number, f"{word} <<END holds nothing")
    if word == "FILTER":
        if said.filter is not None:
            raise NotationError(number, "a second FILTER; there may be one")
        said.filter = "\n".join(line for _, line in body)
        return
    if said.branches:
        raise NotationError(number, "a second IF block; a mapping group may have one")
    said.branches = [_branch(line, inner) for inner, line in body]


def _branch(line: str, number: int) -> Branch:
    if line.startswith("ELSE "):
        return Branch(None, _form(line.removeprefix("ELSE ").strip(), number))
    condition, found, form = line.partition(" THEN ")
    if not line.startswith("IF ") or not found:
        raise NotationError(number, "in an IF block each line is `IF (…) THEN target value` or `ELSE target value`")
    return Branch(condition.removeprefix("IF ").strip(), _form(form.strip(), number))


def _value_list(line: str, number: int, lines: Iterator[tuple[int, str]]) -> Form:
    opening = _OPENING.match(line)
    if not opening:
        raise NotationError(number, "a value list begins with <target source>")
    closing, text = f"</{opening['target']}>", line[opening.end() :]
    while closing not in text:
        following = next(lines, None)
        if following is None:
            raise NotationError(number, f"the value list is not closed: {closing} is missing")
        text += f" {following[1]}"
    inside, _, after = text.partition(closing)
    words = re.findall(_LITERAL, inside)
    if after.strip() or re.sub(_LITERAL, "", inside).strip() or len(words) % 2:
        raise NotationError(number, "a value list holds pairs of quoted values and nothing else")
    values = [unquoted(word) for word in words]
    if len(set(values[::2])) < len(values[::2]):
        raise NotationError(number, "the value list names a value twice")
    return Form(
        opening["target"], number, (Part(opening["source"]),), values=dict(zip(values[::2], values[1::2], strict=True))
    )


def _form(line: str, number: int) -> Form:
    found = _ROW.match(line)
    if not found:
        raise NotationError(number, "neither a declaration nor `target source`")
    target, value = found["target"], found["value"].strip()
    if value.startswith("lookup="):
        return Form(target, number, lookup=_lookup(value, number))
    return Form(target, number, parts_of(value, number))


def _lookup(value: str, number: int) -> dict[str, str]:
    said = dict(part.partition("=")[::2] for part in value.split(":"))
    needed = {"lookup", "lookup_table", "lookup_by", "lookup_return"}
    if set(said) != needed or not all(re.fullmatch(_NAME, each) for each in said.values()):
        raise NotationError(number, f"a look-up needs {', '.join(sorted(needed))}, each a name")
    return said


def parts_of(value: str, number: int = 1) -> tuple[Part, ...]:
    """The parts of a source: `entityId,' ',companyName`.

    Raises:
        NotationError: It is something else.
    """
    word = re.compile(rf"\s*(?:(?P<literal>{_LITERAL})|(?P<name>{_NAME})|(?P<newline>\\+n))\s*(?:,|$)")
    parts, place = [], 0
    while place < len(value):
        found = word.match(value, place)
        if not found:
            raise NotationError(number, f"cannot be read from character {place + 1} of the source on")
        literal = found["literal"]
        if found["newline"]:
            parts.append(Part("\n", literal=True))
        else:
            parts.append(Part(unquoted(literal), literal=True) if literal else Part(found["name"]))
        place = found.end()
    if not parts or value.rstrip().endswith(","):
        raise NotationError(number, "the source ends in a comma, or is blank")
    return tuple(parts)


def unquoted(literal: str) -> str:
    r"""The text between the quotes; `\n` or `\\n` breaks the line, a backslash keeps the quote behind it."""
    inside = re.sub(r"\\+n", "\n", literal[1:-1])
    return re.sub(r"\\(['\"\\])", r"\1", inside)
