"""Users and passwords of the sign-in form.

form  ->  limits of guesses  ->  scrypt in a thread  ->  user | page to choose a password | refusal

An unknown user, a wrong password and an expired one-time password get the same answer after the same time.
"""

from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from orchestration.web.forms import USER_FORM, choose_form
from orchestration.web.guesses import EVERYONE, Guesses, client_of
from orchestration.web.pages import FORM, too_many
from orchestration.web.passwords import PasswordError, is_password
from orchestration.web.sessions import Sessions, is_device_of, name_in
from orchestration.web.users import User, Users

MAX_COMPARED = 4  # passwords that are compared at a time, without those from known browsers


class PasswordSignIn:
    """Compares passwords; used by one event loop."""

    def __init__(self, users: Users, sessions: Sessions, guesses: Guesses) -> None:
        self._users, self._sessions, self._guesses = users, sessions, guesses
        self._compared = 0

    async def check(self, form: Mapping[str, str], client: str, device: str) -> tuple[str, User] | Response:
        """Return the user's name and the user, or a page.

        Args:
            form: The fields `user` and `password`, or `ticket` and `chosen`.
            client: The address of the client.
            device: What the browser keeps from an earlier sign-in.

        Raises:
            UsersError: The users cannot be read.
        """
        if "ticket" in form:
            return await self._choose(form["ticket"], form.get("chosen", ""))
        name = form.get("user", "").strip().lower()[:64]
        user, is_known = self._users.find(name), self._is_known(device, name)
        # a known browser has a limit of its own: strangers who guess do not lock its user out
        limits = (f"device {device}",) * 2 if is_known else (client_of(client), EVERYONE)
        if not self._guesses.is_allowed(*limits) or (self._compared >= MAX_COMPARED and not is_known):
            return too_many()
        self._guesses.was_wrong(*limits)  # until it is known to be right: another one may come meanwhile
        if not await self._is_password(form.get("password", ""), user) or user is None or user.is_expired:
            return HTMLResponse(USER_FORM, 401, headers=FORM)
        self._guesses.was_right(*limits)
        if user.one_time_until:
            return HTMLResponse(choose_form(self._sessions.ticket(name, user.credential)), headers=FORM)
        return name, user

    def _is_known(self, device: str, name: str) -> bool:
        return self._users.find(name) is not None and is_device_of(self._users.device_key, device, name)

    async def _is_password(self, given: str, user: User | None) -> bool:
        self._compared += 1
        try:
            return await run_in_threadpool(is_password, given, user.password if user else "")
        finally:
            self._compared -= 1

    async def _choose(self, ticket: str, chosen: str) -> tuple[str, User] | Response:
        """Exchange a one-time password for the user's own, once."""
        name = name_in(ticket) or ""
        user = self._users.find(name)
        if user is None or not self._sessions.is_valid("ticket", ticket, user.credential):
            return HTMLResponse(USER_FORM, 401, headers=FORM)
        try:
            is_saved = await run_in_threadpool(self._users.choose, name, user.credential, chosen)
        except PasswordError as error:
            return HTMLResponse(choose_form(ticket, str(error)), 400, headers=FORM)
        saved = self._users.find(name)
        return (name, saved) if is_saved and saved else HTMLResponse(USER_FORM, 401, headers=FORM)
