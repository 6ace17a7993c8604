"""Error responses of Precoro: `{"errors":{"errors":{field: text}}}` for a value, `{"error": text}` for the rest."""

from typing import Any

from resources.sandbox.transport import Response, json_response


class ApiError(Exception):
    """An error response of Precoro."""

    def __init__(self, status: int, body: dict[str, Any], *, validation: bool = False) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body
        self.validation = validation

    def response(self, validation_status: int) -> Response:
        """Return the HTTP response; validation errors have the status of the switch."""
        return json_response(self.body, validation_status if self.validation else self.status)


def invalid(field: str, message: str) -> ApiError:
    """Return the error of an invalid value; the nested `errors` is Precoro's own: precoro.md §4 [C]."""
    return ApiError(400, {"errors": {"errors": {field: message}}}, validation=True)


def not_found(name: str) -> ApiError:
    """Return the error of an unknown id or path."""
    return ApiError(404, {"error": f"{name} not found"})


def not_allowed() -> ApiError:
    """Return the error of an unsupported method."""
    return ApiError(405, {"error": "Method Not Allowed"})
