"""The pages of the sign-in; nothing that a visitor sent is repeated in them, except our own ticket."""

from orchestration.web.passwords import MIN_LENGTH

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Millpond</title><style>:root{{color-scheme:light dark}}body{{font:16px system-ui;display:grid;place-items:center;
min-height:90vh}}form{{display:grid;gap:.8rem;width:min(22rem,90vw)}}input,button{{font:inherit;padding:.5rem}}</style>
<form method="post"><h1>Millpond</h1>{fields}</form></html>"""

TOKEN_FORM = _PAGE.format(
    fields="""<label for="token">Sign-in token</label>
<input id="token" name="token" type="password" autocomplete="current-password" autofocus required>
<button>Sign in</button><p>The token is in the file ui_token in Millpond's home.</p>"""
)
USER_FORM = _PAGE.format(
    fields="""<label for="user">User</label>
<input id="user" name="user" autocomplete="username" autocapitalize="none" spellcheck="false" autofocus required>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button>Sign in</button>"""
)
# a browser sends a form again when the page that answered it is loaded again
SESSION_ENDED = _PAGE.format(
    fields="""<p>Your session has ended, and nothing was decided. <a href="/sign-in?next=/console/" target="_blank">Sign
in</a> in a new tab, then load this page again: what you wrote is sent again.</p>"""
)
_CHOOSE = """<p>{text}</p><input type="hidden" name="ticket" value="{ticket}">
<label for="chosen">New password</label>
<input id="chosen" name="chosen" type="password" autocomplete="new-password" minlength="{least}" autofocus required>
<button>Save and sign in</button>"""


def choose_form(ticket: str, problem: str = "") -> str:
    """Return the page on which a one-time password is exchanged for the user's own."""
    text = f"Not saved: {problem}." if problem else "This was a one-time password. Choose your own."
    return _PAGE.format(fields=_CHOOSE.format(text=text, ticket=ticket, least=MIN_LENGTH))
