"""`/api.pl`: one request, its commands in order, one block per command, no rollback."""

from itertools import groupby

from lxml import etree

from resources.sandbox.suiteprojects.access import OVER_QUOTA, Access, Signed
from resources.sandbox.suiteprojects.reading import TOO_MANY_RECORDS, limits_of, read, read_error
from resources.sandbox.suiteprojects.records import EASTERN, RefusedError, Work
from resources.sandbox.suiteprojects.writing import block, write
from resources.sandbox.suiteprojects.xml_codec import Wanted, date_xml, object_xml, parse
from resources.suiteprojects.dictionary import USER

PROLOG = '<?xml version="1.0" standalone="yes"?>\n'
WRITES = {"Add", "Modify", "ModifyOnCondition", "Delete"}
SIGN_INS = {"Auth", "RemoteAuth"}
NOT_SIGNED_IN = 2
UNKNOWN_COMMAND = 5
TOO_MANY_OBJECTS = 555
TOO_MANY_COMMANDS = 855

__all__ = ["TOO_MANY_RECORDS", "answer_xml"]


def answer_xml(work: Work, access: Access, body: bytes, path: str) -> str:
    """The answer to one request."""
    request = parse(body)
    if request is None:
        return _response([block("Auth", work.switches.malformed_status)])
    commands = list(request)
    if access.over_quota():
        return _response([block("Auth", OVER_QUOTA)])
    access.log(path, summary(commands), sum(len(_written(each)) for each in commands))
    refused = access.key_status(request) or work.switches.auth_status or _too_much(work, commands)
    if refused:
        return _response(_refused(work, commands, Signed(refused)))
    return _response(_run(work, access, commands))


def _response(blocks: list[str]) -> str:
    return f"{PROLOG}<response>{''.join(blocks)}</response>"


def summary(commands: list[etree._Element]) -> str:
    """Commands for the log: `Auth,Add*500`."""
    runs = [(name, len(list(group))) for name, group in groupby(str(each.tag) for each in commands)]
    return ",".join(name if count == 1 else f"{name}*{count}" for name, count in runs)


def _written(command: etree._Element) -> list[etree._Element]:
    return [each for each in command if each.tag != "Date"] if command.tag in WRITES else []


def _too_much(work: Work, commands: list[etree._Element]) -> int:
    allowed = work.switches.max_commands
    if allowed is not None and len(commands) > allowed:
        return TOO_MANY_COMMANDS
    if work.switches.too_many_objects == "command":
        return 0
    objects = sum(len(_written(each)) for each in commands)
    return TOO_MANY_OBJECTS if objects > work.switches.max_objects else 0


def _needs_no_sign_in(command: etree._Element) -> bool:
    return command.tag == "Read" and command.get("type") == "Error"


def _refused(work: Work, commands: list[etree._Element], signed: Signed) -> list[str]:
    blocks = []
    for each in commands:
        if each.tag in SIGN_INS:
            blocks.append(block(str(each.tag), signed.status, signed.text))
        elif _needs_no_sign_in(each):
            blocks.append(read_error(each))
        elif work.switches.after_failed_auth == "status 2":
            blocks.append(block(str(each.tag), NOT_SIGNED_IN))
    return blocks


def _run(work: Work, access: Access, commands: list[etree._Element]) -> list[str]:
    first = commands[0] if commands else None
    if first is None or first.tag not in SIGN_INS:  # Auth must come first, or the rest fails
        return _refused(work, commands, Signed(NOT_SIGNED_IN))
    signed = access.sign_in(first)
    if signed.status:
        return _refused(work, commands, signed)
    work.token, work.hidden_after = signed.token, signed.hidden_after
    blocks = [block(str(first.tag), 0)]
    written = asked = 0
    for each in commands[1:]:
        written += len(_written(each))
        if written > work.switches.max_objects:
            blocks.append(block(str(each.tag), TOO_MANY_OBJECTS))
            continue
        blocks += _one(work, access, each, asked)
        asked += _size(work, each)
    return blocks


def _size(work: Work, command: etree._Element) -> int:
    try:
        return limits_of(command, work.switches.max_limit)[1] if command.tag == "Read" else 0
    except RefusedError:
        return 0


def _one(work: Work, access: Access, command: etree._Element, asked_before: int) -> list[str]:
    name = str(command.tag)
    if name == "Read":
        return [read(work, command, access.remaining_today(), asked_before)]
    if name in WRITES:
        return write(work, command)
    if name == "Time":
        local = work.now.astimezone(EASTERN)
        return [block(name, 0, date_xml(work.stamp, local.strftime("%z")))]
    if name == "Whoami":
        user = work.get("User", work.user_id)
        return [block(name, 0, object_xml(user, USER, Wanted(), (), work.switches) if user else "")]
    if name == "Version":
        return [block(name, 0, "<version>1.0</version>")]
    return [block(name, UNKNOWN_COMMAND)]  # also what this stand-in does not play: Submit, Report, MakeURL …
