"""Every spelling of a secret is replaced, and other texts are not."""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from html import escape
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Template

from resources import redaction
from resources.errors import CredentialsError
from resources.redaction import know, redact

SECRET = 'k3y/with+odd=chars & "quotes" \\ <b>é it\'s'


@pytest.fixture(autouse=True)
def only_these() -> Iterator[None]:
    """Each test knows its own secrets only."""
    before = dict(redaction._known)
    redaction._known.clear()
    yield
    redaction._known.clear()
    for value, name in before.items():
        know(name, value)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "header": lambda text: f"Authorization: Bearer {text}\r\nX: y",
    "URL": lambda text: f"https://host/?token={quote(text, safe='')}&x=1",
    "URL in lower case": lambda text: re.sub("%..", lambda each: each[0].lower(), quote(text, safe="")),
    "form": lambda text: urlencode({"token": text}),
    "form with plus": quote_plus,
    "JSON": lambda text: json.dumps({"echo": text}),
    "XML": lambda text: f"<key>{escape(text)}</key>",
    "Python": lambda text: repr({"echo": text}),
    "JSON in UTF-8": lambda text: json.dumps({"echo": text}, ensure_ascii=False),
    "JSON in JSON": lambda text: json.dumps({"body": json.dumps({"echo": text})}),
    "JSON in JSON in UTF-8": lambda text: json.dumps({"body": json.dumps({"echo": text}, ensure_ascii=False)}),
    "Python in JSON": lambda text: json.dumps({"error": repr({"echo": text})}),
    "a page": lambda text: Template("<p>{{ echo }}", autoescape=True).render(echo=text),
    "basic sign-in": lambda text: "Basic " + b64encode(f"ada:{text}".encode()).decode(),
    "basic sign-in of another length": lambda text: "Basic " + b64encode(f"adas:{text}:1".encode()).decode(),
    "base64 for URLs": lambda text: urlsafe_b64encode(f"xy{text}".encode()).decode(),
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_secret_is_replaced_however_it_is_spelled(spelled: Callable[[str], str]) -> None:
    """A service's refusal may echo our headers, our form or our address."""
    text = spelled(SECRET)
    know("PRECORO_TOKEN", SECRET)

    shown = redact(text)

    assert "<PRECORO_TOKEN>" in shown
    assert SECRET not in shown
    assert spelled(SECRET) != shown


@pytest.mark.parametrize(
    "coded", [str, quote, lambda text: json.dumps(text)[1:-1], lambda text: b64encode(text.encode()).decode()]
)
def test_the_rest_of_a_secret_in_a_cut_text_is_replaced(coded: Callable[[str], str]) -> None:
    """A service, or an error of ours, quotes the first or the last characters of a text; less than 16 may remain."""
    secret = "".join(chr(33 + number * 7 % 90) for number in range(40))
    know("PRECORO_TOKEN", secret)
    text, size = coded(secret).rstrip("="), redaction.MIN_PART
    parts = {text[start : start + size] for start in range(len(text) - size + 1)}

    for cut in range(size + 1, len(text)):
        for shown in (redact(f"it says {text[:cut]} {text[:cut]}"), redact(f"{text[-cut:]} it says {text[-cut:]}!")):
            assert "PRECORO_TOKEN" in shown
            assert not [each for each in parts if each in shown], shown


def test_a_secret_that_begins_with_its_own_name_is_replaced() -> None:
    """A line of `.env` that was copied into its own value."""
    know("PRECORO_TOKEN", "PRECORO_TOKEN=0123456789")

    assert redact("PRECORO_TOKEN=012345678 is no token") == "<PRECORO_TOKEN…> is no token"


def test_the_host_of_a_secret_address_stays() -> None:
    """Of an address only the end is a secret; links to the same host are none."""
    know("MILLPOND_ALERT_WEBHOOK_URL", "https://ops.example.com/hooks/0123456789abcdef0123")

    assert redact("see https://ops.example.com/runs") == "see https://ops.example.com/runs"
    assert redact("sent to /hooks/0123456789abcdef0123") == "sent to <…MILLPOND_ALERT_WEBHOOK_URL>"


@given(st.text("abcXYZ019+/=-_%.~ é", min_size=8, max_size=40), st.binary(max_size=5), st.binary(max_size=5))
def test_base64_of_a_longer_text_hides_the_secret(secret: str, before: bytes, after: bytes) -> None:
    """Six characters of it or more never remain, wherever the secret begins."""
    if len(secret.strip()) < 8:
        return
    secret = secret.strip()
    redaction._known.clear()
    know("KEY", secret)
    coded = b64encode(before + secret.encode() + after).decode()

    assert "<KEY>" in redact(coded)


def test_short_values_and_other_texts_stay() -> None:
    """`true` as a password would make every text unreadable."""
    know("PRECORO_TOKEN", "", "true", "  ", "millpond")

    assert redact("true story of millpond") == "true story of millpond"


def test_the_longer_of_two_secrets_is_replaced_first() -> None:
    """One may be the beginning of another."""
    know("A", "secret-one")
    know("B", "secret-one-and-two")

    assert redact("secret-one-and-two, secret-one") == "<B>, <A>"


def test_an_error_never_has_a_secret() -> None:
    """Whatever text of the service is quoted in its reason."""
    know("PRECORO_TOKEN", SECRET)

    error = CredentialsError("precoro", "sign in", f"you sent {SECRET}")

    assert str(error) == "precoro: sign in: you sent <PRECORO_TOKEN>"
    assert SECRET not in error.reason
    assert SECRET not in repr(error)


def test_old_access_tokens_are_forgotten() -> None:
    """A service that runs for months renews thousands."""
    for number in range(redaction.KEPT + 10):
        know("TOKEN", f"access-token-{number:05}")

    assert len(redaction._known) == redaction.KEPT
    assert redact(f"access-token-{redaction.KEPT + 9:05}") == "<TOKEN>"


def test_no_secret_of_many_accounts_is_forgotten() -> None:
    """Each account has its own, which are never renewed."""
    for number in range(3 * redaction.KEPT):
        know(f"PRECORO_ACCOUNT{number}_TOKEN", f"secret-of-account-{number:05}")

    assert redact("secret-of-account-00000") == "<PRECORO_ACCOUNT0_TOKEN>"
