"""`millpond rebind`: assign a workflow or NetSuite's tables to another account."""

import uuid

from assets.delivery.errors import SyncError
from assets.delivery.ledger.certificates import void_certificates
from assets.delivery.ledger.rebind import forget_account
from assets.delivery.locks import writer_lock
from orchestration.authorization import require_approver
from orchestration.cli.facts import with_json
from orchestration.cli.output import print_problems, print_wrapped
from orchestration.connections import Connections, open_connections
from resources.account import describe
from resources.warehouse.bindings import NETSUITE, read_binding, unbind
from resources.warehouse.tables import has_table


@with_json
def rebind(name: str, *, same_account: bool = False) -> int:
    """Assign a workflow or NetSuite's tables to another account.

    Args:
        name: The workflow, or `netsuite`. A workflow forgets which target records are its own, and recognizes those of
            the new account by key and match rules; NetSuite's tables are read completely again.
        same_account: Only the address or the name of the account changed: nothing is forgotten.
    """
    with open_connections() as connections:
        try:
            approver = require_approver()
            if name == NETSUITE:
                lines = _rebind_netsuite(connections)
            else:
                lines = _rebind(connections, name, same_account, approver)
        except SyncError as error:
            print_problems([str(error)])
            return 2
    for line in lines:
        print_wrapped(line)
    return 0


def _rebind_netsuite(connections: Connections) -> list[str]:
    with connections.warehouse.writer() as con:
        bound = read_binding(con, NETSUITE)
        if bound is None:
            return ["no NetSuite account is recorded yet; the next extraction records it"]
        unbind(con, NETSUITE)
        void_certificates(con, connections.now, "NetSuite's tables were given another account")
        for table in ("sync_watermarks", "netsuite_capabilities"):  # how far it was read, and what it lacks
            if has_table(con, table):
                con.execute(f"delete from {table}")
    return [
        f"netsuite no longer belongs to {describe(bound)}; the next extraction reads everything and records another",
        "an account with other records needs a home of its own (MILLPOND_HOME): internal ids would mean other records",
    ]


def _rebind(connections: Connections, name: str, same_account: bool, approver: str) -> list[str]:  # noqa: FBT001
    workflow = connections.workflow(name)
    with writer_lock(connections.warehouse, workflow.spec.connection_name), connections.warehouse.writer() as con:
        bound = unbind(con, name)
        if bound is None:
            return [f"{name}: no account is recorded yet; the next delivery records it"]
        run_id = f"rebind {uuid.uuid4().hex[:8]}"
        kept = same_account or forget_account(con, workflow, connections.now, run_id, approver)
    forgotten = "nothing is forgotten" if same_account else f"{kept} links are forgotten"
    return [f"{name} no longer belongs to {describe(bound)}; {forgotten}, and the next delivery records its account"]
