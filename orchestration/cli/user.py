"""`millpond user …`: the named users of the UI and their roles."""

import sys

from cyclopts import App

from orchestration.cli.facts import note, with_json
from orchestration.cli.output import console as terminal
from orchestration.cli.output import open_table, print_line, print_problems, print_wrapped
from orchestration.configuration.settings import MillpondSettings
from orchestration.web.identity import Role
from orchestration.web.passwords import PasswordError
from orchestration.web.users import ONE_TIME_S, User, Users, UsersError, user_name

app = App(name="user", help="Manage the users of the UI and their roles.", suppress_keyboard_interrupt=False)


@app.command
def add(name: str, *, role: Role, password_stdin: bool = False, no_password: bool = False) -> int:
    """Add a user, and print a one-time password.

    Args:
        name: The name for signing in; the ledger records it.
        role: A viewer reads, an operator also runs, an approver also decides.
        password_stdin: Read the password from standard input instead.
        no_password: The user comes through the sign-in proxy only.
    """
    users = _users()
    try:
        stored, is_first = user_name(name), not users.exist
        password = _stdin() if password_stdin else None
        made = users.add(stored, role, password, no_password=no_password)
    except (UsersError, PasswordError) as error:
        print_problems([str(error)])
        return 2
    print_line(f"{stored} is {_with_article(role)}")
    _print_password(stored, made)
    if is_first and not MillpondSettings().ui_token_role:
        print_wrapped("the sign-in token is off from now on; MILLPOND_UI_TOKEN_ROLE gives it a role", "yellow")
    return 0


@app.command(name="list")
@with_json
def list_() -> int:
    """List the users with their roles."""
    try:
        users = _users().all()
    except UsersError as error:
        print_problems([str(error)])
        return 2
    rows = [(name, str(user.role), _password_state(user)) for name, user in users.items()]
    note(users=[dict(zip(("name", "role", "password"), row, strict=True)) for row in rows])
    if not users:
        print_line("no users; `millpond user add NAME --role ROLE` adds one")
        return 0
    table = open_table("user", "role", "password")
    for row in rows:
        table.add_row(*row)
    terminal.print(table)
    return 0


@app.command(name="role")
def change_role(name: str, role: Role) -> int:
    """Change what a user may do, from the next request on.

    Args:
        name: The user.
        role: A viewer reads, an operator also runs, an approver also decides.
    """
    try:
        _users().set_role(user_name(name), role)
    except UsersError as error:
        print_problems([str(error)])
        return 2
    print_line(f"{user_name(name)} is {_with_article(role)}")
    return 0


@app.command
def reset(name: str, *, password_stdin: bool = False) -> int:
    """Replace a user's password, end the user's sessions, and print a one-time password.

    Args:
        name: The user.
        password_stdin: Read the password from standard input instead.
    """
    try:
        made = _users().reset(user_name(name), _stdin() if password_stdin else None)
    except (UsersError, PasswordError) as error:
        print_problems([str(error)])
        return 2
    print_wrapped(f"the earlier password and sessions of {user_name(name)} are no longer valid")
    _print_password(user_name(name), made)
    return 0


@app.command
def remove(name: str) -> int:
    """Remove a user, and end the user's sessions.

    Args:
        name: The user.
    """
    users = _users()
    try:
        users.remove(user_name(name))
        left = users.all()
    except UsersError as error:
        print_problems([str(error)])
        return 2
    print_line(f"{user_name(name)} is removed")
    if not left:
        print_wrapped(f"no users are left; to go back to the sign-in token, delete {users.file}", "yellow")
    return 0


def _users() -> Users:
    return Users(MillpondSettings().users)


def _stdin() -> str:
    """The first line of standard input."""
    return sys.stdin.readline().rstrip("\r\n")


def _print_password(name: str, made: str) -> None:
    if made:
        print_line(f"one-time password of {name}: {made}")
        print_wrapped(
            f"it is shown once, and valid for {ONE_TIME_S // 3600} hours; at the first sign-in it is replaced"
        )


def _password_state(user: User) -> str:
    if not user.password:
        return "none: sign-in proxy only"
    if user.is_expired:
        return "one-time, expired; `millpond user reset` makes another"
    return "one-time" if user.one_time_until else "set"


def _with_article(role: Role) -> str:
    return f"{'a' if role is Role.VIEWER else 'an'} {role}"
