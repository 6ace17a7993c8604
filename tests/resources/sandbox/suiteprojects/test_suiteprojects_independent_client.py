"""A client without our code, modeled on oaxmlapi, works unchanged with the simulated SuiteProjects Pro."""

import xml.etree.ElementTree as ET  # noqa: TID251 - the other client's choice

import httpx

from resources.sandbox.sandbox import BASE_URLS, Sandbox


class OtherClient:
    """A client with the standard library's XML, `API_ver`, one address element per part, and form content type."""

    def __init__(self, http: httpx.Client, own: dict[str, str]) -> None:
        self._http = http
        self._own = own

    def _envelope(self) -> ET.Element:
        own = self._own
        attributes = {
            "API_ver": "1.0",
            "client": "other",
            "client_ver": "1.1",
            "namespace": "default",
            "key": own["key"],
        }
        request = ET.Element("request", attributes)
        login = ET.SubElement(ET.SubElement(request, "Auth"), "Login")
        for name in ("company", "user", "password"):
            ET.SubElement(login, name).text = own[name]
        return request

    def _post(self, request: ET.Element) -> ET.Element:
        body = ET.tostring(request, encoding="utf-8", xml_declaration=True)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return ET.fromstring(self._http.post("/api.pl", content=body, headers=headers).text)  # noqa: S314 - our own sandbox

    def add(self, type_name: str, fields: dict[str, str], address: dict[str, str]) -> ET.Element:
        """Add a record."""
        request = self._envelope()
        record = ET.SubElement(ET.SubElement(request, "Add", {"type": type_name}), type_name)
        for name, value in fields.items():
            ET.SubElement(record, name).text = value
        for name, value in address.items():
            ET.SubElement(ET.SubElement(ET.SubElement(record, "addr"), "Address"), name).text = value
        return self._post(request)

    def read(self, type_name: str, fields: list[str], **attributes: str) -> ET.Element:
        """Read records."""
        request = self._envelope()
        read = ET.SubElement(request, "Read", {"type": type_name, "method": "all", "limit": "0, 1000", **attributes})
        returned = ET.SubElement(read, "_Return")
        for name in fields:
            ET.SubElement(returned, name)
        return self._post(request)

    def error(self, code: str) -> ET.Element:
        """Read the text of a status without a sign-in."""
        request = self._envelope()
        request.remove(request[0])
        read = ET.SubElement(request, "Read", {"type": "Error", "method": "equal to"})
        ET.SubElement(ET.SubElement(read, "Error"), "code").text = code
        return self._post(request)


def test_an_independent_client_writes_and_reads(sandbox: Sandbox) -> None:
    """It reads back what it wrote."""
    http = httpx.Client(transport=sandbox.transport("suiteprojects"), base_url=BASE_URLS["suiteprojects"])
    client = OtherClient(http, sandbox.credentials["suiteprojects"])

    added = client.add("Customer", {"name": "A & B <Söhne>", "currency": "EUR"}, {"addr1": "Ring 5", "city": "Wien"})
    read = client.read("Customer", ["id", "name", "addr"], orderby="id")

    assert added.find("Add").get("status") == "0"
    customer = read.find("Read/Customer")
    assert customer.findtext("id") == added.findtext("Add/Customer/id")
    assert customer.findtext("name") == "A & B <Söhne>"
    assert [customer.findtext(f"addr/Address/{part}") for part in ("addr1", "city")] == ["Ring 5", "Wien"]


def test_an_independent_client_reads_error_texts(sandbox: Sandbox) -> None:
    """A block has the number only; the text is read separately."""
    http = httpx.Client(transport=sandbox.transport("suiteprojects"), base_url=BASE_URLS["suiteprojects"])
    client = OtherClient(http, sandbox.credentials["suiteprojects"])

    status = client.add("Customer", {"notes": "x"}, {}).find("Add").get("status")

    assert status == "824"
    assert client.error(status).findtext("Read/Error/text") == "name or company is required"
