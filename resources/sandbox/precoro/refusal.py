"""How Precoro says no: `{"errors":{"errors":{field: text}}}` for a value, `{"error": text}` for the rest."""

from typing import Any

from resources.sandbox.transport import Answer, json_answer


class Refused(Exception):  # noqa: N818 - an answer on its way out, not a failure of the stand-in
    """The request is answered with this status and body."""

    def __init__(self, status: int, body: dict[str, Any], *, validation: bool = False) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body
        self.validation = validation

    def answer(self, refused_status: int) -> Answer:
        """The answer; validation failures carry the status that the switch names."""
        return json_answer(self.body, refused_status if self.validation else self.status)


def invalid(field: str, message: str) -> Refused:
    """A value is refused; the doubled `errors` is Precoro's own: precoro.md §4 [C]."""
    return Refused(400, {"errors": {"errors": {field: message}}}, validation=True)


def not_found(what: str) -> Refused:
    """Nothing has that id."""
    return Refused(404, {"error": f"{what} not found"})


def not_allowed() -> Refused:
    """The path exists, the verb does not."""
    return Refused(405, {"error": "Method Not Allowed"})
