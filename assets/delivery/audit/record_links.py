"""Addresses of records in NetSuite's and the target's own pages.

sync_links, sync_record_urls, the account's address  ->  RecordLinks
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import duckdb

from resources.warehouse.tables import has_table

# pages of NetSuite's user interface by source; records of other sources have no address of their own
NETSUITE_PAGES: Final = {
    "customers": "/app/common/entity/custjob.nl?id={id}",
    "projects": "/app/common/entity/custjob.nl?id={id}",
    "contacts": "/app/common/entity/contact.nl?id={id}",
    "service_items": "/app/common/item/item.nl?id={id}",
    "departments": "/app/common/otherlists/departmenttype.nl?id={id}",
    "classifications": "/app/common/otherlists/classtype.nl?id={id}",
    "locations": "/app/common/otherlists/locationtype.nl?id={id}",
    "subsidiaries": "/app/common/otherlists/subsidiarytype.nl?id={id}",
}
Key = tuple[str, str, str]  # workflow, source, source id


class RecordLinks:
    """The addresses of one account's records."""

    def __init__(self, netsuite_account: str) -> None:
        """Use an account id such as 1234567_SB1; blank: NetSuite's records have no address, as in the sandbox."""
        host = netsuite_account.lower().replace("_", "-")
        self._netsuite = f"https://{host}.app.netsuite.com" if host else ""

    def netsuite(self, source: str, source_id: str) -> str:
        """Return the address of a record in NetSuite; blank if there is none."""
        page = NETSUITE_PAGES.get(source)
        return f"{self._netsuite}{page.replace('{id}', source_id)}" if page and self._netsuite else ""

    def read(self, con: duckdb.DuckDBPyConnection, keys: Iterable[Key]) -> dict[Key, Mapping[str, Any]]:
        """Return target_id, target_url and netsuite_url of records."""
        wanted = list(dict.fromkeys(keys))
        found: dict[Key, tuple[str | None, str | None]] = {}
        if wanted and has_table(con, "sync_links"):
            urls = (
                "sync_record_urls"
                if has_table(con, "sync_record_urls")
                else "(select null as workflow, null as template)"
            )
            names = ("workflow", "source", "source_id")
            values = {name: [each[place] for each in wanted] for place, name in enumerate(names)}
            for *key, target_id, url in con.execute(_LINKS.format(urls=urls), values).fetchall():
                found[key[0], key[1], key[2]] = (target_id, url)
        return {
            key: {
                "target_id": found.get(key, (None, None))[0],
                "target_url": safe(found.get(key, (None, None))[1]),
                "netsuite_url": self.netsuite(key[1], key[2]),
            }
            for key in wanted
        }


def safe(url: str | None) -> str:
    """Return an address that a page may link to; blank for any other."""
    return url if url and url.startswith(("https://", "http://")) else ""


_LINKS = """
select link.workflow, link.source, link.source_id, link.target_id, replace(urls.template, '{{id}}', link.target_id)
from sync_links as link
join (select unnest($workflow) as workflow, unnest($source) as source, unnest($source_id) as source_id) as sought
    using (workflow, source, source_id)
left join {urls} as urls on urls.workflow = link.workflow
"""
