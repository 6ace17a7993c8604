"""Prepare what the first pages after a start would have to wait for: templates, workflow files, slow queries.

site  ->  warm()  ->  compiled templates, Site.files, Account.kept
"""

from contextlib import suppress

from assets.delivery.errors import SyncError
from orchestration.web.console.held_back import causes
from orchestration.web.console.overview import overview
from orchestration.web.console.pages import environment
from orchestration.web.console.site import BusyError, Site
from resources.warehouse.warehouse import WarehouseError


def warm(site: Site) -> None:
    """Compile the templates and read the pages that people open first; what fails is shown by the page itself."""
    templates = environment()
    for name in templates.list_templates(extensions=["jinja"]):
        templates.get_template(name)
    for account in site.accounts.values():
        with suppress(BusyError, WarehouseError, SyncError, OSError):
            overview(site, account)
            causes(site, account, "")
