"""The catalog's connection says what is missing; with a server it is tested in `tests/scale`."""

import sys

import pytest

from resources.postgres import CatalogError, Session


def test_a_missing_driver_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting may be there before the package is."""
    monkeypatch.setitem(sys.modules, "psycopg2", None)

    with pytest.raises(CatalogError, match=r"install `millpond\[scale\]`"):
        Session("postgresql://localhost/none")
