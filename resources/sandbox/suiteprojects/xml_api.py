"""`/api.pl`: one request with commands in order, one response block per command, no rollback."""

from itertools import groupby

from lxml import etree

from resources.sandbox.suiteprojects.access import Access, SignIn
from resources.sandbox.suiteprojects.errors import ApiError, Status
from resources.sandbox.suiteprojects.read_command import limits_of, read, read_error
from resources.sandbox.suiteprojects.records import EASTERN, Transaction
from resources.sandbox.suiteprojects.write_commands import write
from resources.sandbox.suiteprojects.xml_codec import ReturnFields, date_xml, object_xml, parse, response_block
from resources.suiteprojects.dictionary import USER

PROLOG = '<?xml version="1.0" standalone="yes"?>\n'
WRITES = {"Add", "Modify", "ModifyOnCondition", "Delete"}
SIGN_INS = {"Auth", "RemoteAuth"}


def handle_xml(tx: Transaction, access: Access, body: bytes, path: str) -> str:
    """Return the response to one request."""
    request = parse(body)
    if request is None:
        return _response([response_block("Auth", tx.switches.malformed_status)])
    commands = list(request)
    if access.over_quota():
        return _response([response_block("Auth", Status.OVER_QUOTA)])
    access.log(path, summary(commands), sum(len(_written(each)) for each in commands))
    status = access.key_status(request) or tx.switches.auth_status or _size_status(tx, commands)
    if status:
        return _response(_rejected(tx, commands, SignIn(status)))
    return _response(_execute_all(tx, access, commands))


def _response(blocks: list[str]) -> str:
    return f"{PROLOG}<response>{''.join(blocks)}</response>"


def summary(commands: list[etree._Element]) -> str:
    """Return the commands for the call log: `Auth,Add*500`."""
    runs = [(name, len(list(group))) for name, group in groupby(str(each.tag) for each in commands)]
    return ",".join(name if count == 1 else f"{name}*{count}" for name, count in runs)


def _written(command: etree._Element) -> list[etree._Element]:
    return [each for each in command if each.tag != "Date"] if command.tag in WRITES else []


def _size_status(tx: Transaction, commands: list[etree._Element]) -> int:
    max_commands = tx.switches.max_commands
    if max_commands is not None and len(commands) > max_commands:
        return Status.TOO_MANY_COMMANDS
    if tx.switches.too_many_objects == "command":
        return Status.OK
    objects = sum(len(_written(each)) for each in commands)
    return Status.TOO_MANY_OBJECTS if objects > tx.switches.max_objects else Status.OK


def _rejected(tx: Transaction, commands: list[etree._Element], sign_in: SignIn) -> list[str]:
    """Return the blocks of a request without a valid sign-in."""
    blocks = []
    for each in commands:
        if each.tag in SIGN_INS:
            blocks.append(response_block(str(each.tag), sign_in.status, sign_in.text))
        elif each.tag == "Read" and each.get("type") == "Error":
            blocks.append(read_error(each))
        elif tx.switches.after_failed_auth == "status 2":
            blocks.append(response_block(str(each.tag), Status.NOT_SIGNED_IN))
    return blocks


def _execute_all(tx: Transaction, access: Access, commands: list[etree._Element]) -> list[str]:
    first = commands[0] if commands else None
    if first is None or first.tag not in SIGN_INS:  # Auth must be the first command
        return _rejected(tx, commands, SignIn(Status.NOT_SIGNED_IN))
    sign_in = access.sign_in(first)
    if sign_in.status:
        return _rejected(tx, commands, sign_in)
    tx.token, tx.hidden_after = sign_in.token, sign_in.hidden_after
    blocks = [response_block(str(first.tag), Status.OK)]
    written = requested = 0
    for each in commands[1:]:
        written += len(_written(each))
        if written > tx.switches.max_objects:
            blocks.append(response_block(str(each.tag), Status.TOO_MANY_OBJECTS))
            continue
        blocks += _execute(tx, access, each, requested)
        requested += _requested(tx, each)
    return blocks


def _requested(tx: Transaction, command: etree._Element) -> int:
    try:
        return limits_of(command, tx.switches.max_limit)[1] if command.tag == "Read" else 0
    except ApiError:
        return 0


def _execute(tx: Transaction, access: Access, command: etree._Element, requested_before: int) -> list[str]:
    name = str(command.tag)
    if name == "Read":
        return [read(tx, command, access.remaining_today(), requested_before)]
    if name in WRITES:
        return write(tx, command)
    if name == "Time":
        zone = tx.now.astimezone(EASTERN).strftime("%z")
        return [response_block(name, Status.OK, date_xml(tx.timestamp, zone))]
    if name == "Whoami":
        user = tx.get("User", tx.user_id)
        content = object_xml(user, USER, ReturnFields(), (), tx.switches) if user else ""
        return [response_block(name, Status.OK, content)]
    if name == "Version":
        return [response_block(name, Status.OK, "<version>1.0</version>")]
    return [response_block(name, Status.UNKNOWN_COMMAND)]  # also for commands not simulated: Submit, Report, MakeURL …
