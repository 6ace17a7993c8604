"""A client of the XML API that shares no code with ours, to check what was written and to edit records manually."""

import xml.etree.ElementTree as ET  # noqa: TID251 - shares no library with our client
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from resources.sandbox.sandbox import BASE_URLS, Sandbox

PAGE = 1000


class OtherClient:
    """Reads all records of a type, including custom fields and addresses, and writes one record at a time."""

    def __init__(self, http: httpx.Client, credentials: dict[str, str]) -> None:
        self._http = http
        self._credentials = credentials

    def _send(self, command: ET.Element) -> ET.Element:
        own = self._credentials
        request = ET.Element("request", {"API_ver": "1.0", "namespace": own["namespace"], "key": own["key"]})
        login = ET.SubElement(ET.SubElement(request, "Auth"), "Login")
        for name in ("company", "user", "password"):
            ET.SubElement(login, name).text = own[name]
        request.append(command)
        response = ET.fromstring(self._http.post("/api.pl", content=ET.tostring(request)).text)  # noqa: S314 - sandbox
        return response[1]

    def read(self, type_name: str, *, deleted: bool = False) -> list[dict[str, str]]:
        """Read every record; address parts are `addr_city`, dates `YYYY-MM-DD`, blank values are omitted."""
        rows: list[dict[str, str]] = []
        while True:
            attributes = {"type": type_name, "method": "all", "limit": f"{len(rows)}, {PAGE}", "enable_custom": "1"}
            block = self._send(ET.Element("Read", attributes | ({"deleted": "1"} if deleted else {})))
            rows += [_plain(record) for record in block]
            if len(block) < PAGE:
                return rows

    def write(self, command: str, type_name: str, **values: str) -> str:
        """Add, Modify or Delete one record, and return its id.

        Raises:
            AssertionError: The service rejected it.
        """
        element = ET.Element(command, {"type": type_name, "enable_custom": "1"})
        record = ET.SubElement(element, type_name)
        for name, value in values.items():
            ET.SubElement(record, name).text = value
        block = self._send(element)
        assert block.get("status") == "0", block.get("status")
        return block.findtext(f"{type_name}/id") or values["id"]


def _plain(record: ET.Element) -> dict[str, str]:
    values = {}
    for child in record:
        address, date = child.find("Address"), child.find("Date")
        if address is not None:
            values |= {f"{child.tag}_{part.tag}": part.text for part in address if part.text}
        elif date is not None:
            parts = [date.findtext(name) or "" for name in ("year", "month", "day")]
            values |= {child.tag: "-".join(parts)} if parts[0] else {}
        elif child.text:
            values[child.tag] = child.text
    return values


@contextmanager
def other_client(sandbox: Sandbox) -> Iterator[OtherClient]:
    """Return a client of the sandbox."""
    with httpx.Client(transport=sandbox.transport("suiteprojects"), base_url=BASE_URLS["suiteprojects"]) as http:
        yield OtherClient(http, sandbox.credentials["suiteprojects"])
