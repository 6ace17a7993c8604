"""Characters that no request to the service can carry, so that a plan holds a record back before the run would.

character set  ->  forbidden_characters()  ->  what a text field must not contain; see `TargetField.forbidden`
"""

from assets.delivery.target import Forbidden

# inside of a character class, as DuckDB and Polars read it; text that was read has no surrogates
ILLEGAL_IN_XML = r"\x00-\x08\x0B\x0C\x0E-\x1F\x{FFFE}\x{FFFF}"
BEYOND = {"iso8859-1": r"\x{100}-\x{10FFFF}", "ascii": r"\x80-\x{10FFFF}"}  # of other sets the encoder decides


def forbidden_characters(charset: str) -> tuple[Forbidden, ...]:
    """Return what a text must not contain in an account with this character set, in Python's name; blank: Unicode."""
    illegal = Forbidden("illegal_character", ILLEGAL_IN_XML, "a control character, which XML cannot carry")
    if charset not in BEYOND:
        return (illegal,)
    foreign = f"a character that is not in the account's character set {charset}"
    return illegal, Forbidden("foreign_character", BEYOND[charset], foreign)
