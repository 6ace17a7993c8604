"""Keys that what is stored still needs: the answer to when an old one may be removed, and to which one is missing.

warehouse, MILLPOND_ENCRYPTION_KEY, MILLPOND_LEDGER_KEY  ->  check_keys()  ->  Finding of each
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress

import duckdb

from assets.delivery.chain.checkpoints import ChainError, last_checkpoint, require_key
from assets.delivery.ledger.plans import OPEN_STATES
from assets.delivery.ledger.sealing import unseal
from assets.result_texts import counted
from orchestration.configuration.secret_settings import secret_value
from orchestration.ledger_sealing import ledger_signer
from resources.diagnostics import Finding
from resources.encryption import PLAIN, Cipher, EncryptionError
from resources.warehouse.tables import has_table, quoted, read_frame

SYSTEM = "millpond"
_REJECT = "or `millpond reject` the plans, and make new ones"


def check_keys(con: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """Yield a finding for the plans that wait, and one for the ledger; keys that are malformed are found elsewhere."""
    with suppress(EncryptionError):
        yield from _of_plans(con, secret_value("MILLPOND_ENCRYPTION_KEY"))
    try:
        require_key(last_checkpoint(con), ledger_signer())
    except ChainError as error:
        found, _, fix = str(error).partition(": ")
        yield Finding(SYSTEM, "ledger", found, fix)


def _of_plans(con: duckdb.DuckDBPyConnection, keys: str) -> Iterator[Finding]:
    first, *older = keys.split(",")
    if lost := unreadable_plans(con, Cipher(keys)):
        why = next(iter(lost.values()))
        yield Finding(SYSTEM, "encryption", f"{counted(len(lost), 'plans')} cannot be sent: {why}", _REJECT)
    elif older and (needing := unreadable_plans(con, Cipher(first))):
        yield Finding(SYSTEM, "encryption", f"an older key is still needed for {counted(len(needing), 'plans')}")
    elif older:
        yield Finding(SYSTEM, "encryption", "no plan that waits needs an older key")


def unreadable_plans(con: duckdb.DuckDBPyConnection, cipher: Cipher, workflow: str = "") -> Mapping[str, str]:
    """Return the plans that wait and cannot be decrypted, each with the reason; of one workflow if it is named."""
    if not has_table(con, "sync_plans"):
        return {}
    states = [each.value for each in OPEN_STATES]
    query = "select plan_id, workflow from sync_plans where state in (select unnest(?::varchar[])) order by position"
    found: dict[str, str] = {}
    for plan_id, name in con.execute(query, [states]).fetchall():
        if workflow in {"", name} and has_table(con, f"plan_{name}"):
            rows = f"select * from {quoted(f'plan_{name}')} where plan_id = ? and payload is not null limit 1"
            try:
                unseal(read_frame(con, rows, [plan_id]), cipher)
            except EncryptionError as error:
                found[plan_id] = str(error)
    return found


def require_readable(con: duckdb.DuckDBPyConnection, cipher: Cipher, workflow: str) -> None:
    """Require the keys of the plans of a workflow that wait, before they are signed anew under another name.

    Raises:
        EncryptionError: One was encrypted with a key that is not set; the text names the plan and the ways out.
    """
    for plan_id, why in unreadable_plans(con, cipher, workflow).items():
        if PLAIN not in why:  # stored before the first key was set, and not sent under any name
            raise EncryptionError(f"plan {plan_id}: {why}, or `millpond reject {plan_id}`")
