"""Pages that commands write have no secret and no markup of a record, and only their owner reads them."""

import os
from pathlib import Path

import pytest

from orchestration.cli import html_page
from resources.redaction import know


def test_a_page_is_private_escaped_and_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error text on it may quote a token, and a name may be markup."""
    know("PRECORO_TOKEN", "t0p-secret-value")
    (tmp_path / "some.html.jinja").write_text("<p>{{ text }}</p>")
    monkeypatch.setattr(html_page, "__file__", str(tmp_path / "html_page.py"))
    page = tmp_path / "page.html"
    before = os.umask(0o022)
    try:
        html_page.write_page("some", page, text="<b> t0p-secret-value")
    finally:
        os.umask(before)
    assert page.stat().st_mode & 0o777 == 0o600
    assert "&lt;b&gt;" in page.read_text(encoding="utf-8")
    assert "t0p-secret-value" not in page.read_text(encoding="utf-8")
