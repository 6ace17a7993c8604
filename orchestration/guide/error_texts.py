"""Fixes of errors, by their classes, whose docstrings say what happened.

error classes of assets, resources and orchestration  ->  FIXES  ->  docs/reference/errors.md
"""

from collections.abc import Mapping
from typing import Final

FIXES: Final[Mapping[str, Mapping[str, str]]] = {
    "Other systems": {
        "IntegrationError": "The base of the errors below; its text is `system: operation: reason`.",
        "TransientError": "Nothing at first: the next run tries again. If it stays, see the system's status page.",
        "RateLimitedError": "Nothing; if it is frequent, lower `NETSUITE_CONCURRENCY` or spread the schedules.",
        "resources.errors.BusyError": "Nothing: the record is locked, and the next run sends it.",
        "UnreachableError": "Check the address, the network, the proxy and the firewall; `millpond doctor` names them.",
        "AnswerLostError": "Nothing: the next run looks for the record in the target before it sends anything.",
        "QuotaExhaustedError": "Nothing: the next run after the time in the text continues. See Quota days.",
        "RecordRejectedError": "Correct the record: the reason has the system's words. The others were sent.",
        "RequestRejectedError": "Correct the setting or the workflow file that the text names, then run again.",
        "CredentialsError": "Renew the key, token or permission that the text names; `millpond doctor` proves it.",
        "UntrustedError": "Correct the address or the clock; behind a proxy that inspects TLS set `SSL_CERT_FILE`.",
        "ContractError": "Run again; if it stays, the system answers in an undocumented way: report it with the text.",
        "AnswerLimitError": "Nothing: a response was too large or too slow, and the request is sent again.",
    },
    "NetSuite": {
        "UnexpectedError": "Nothing at first; if it stays for one table, `millpond doctor` finds the column.",
        "PermissionRefusedError": "Give the integration role the permission that the text names.",
        "MissingTableError": "Give the role the permission, or enable the feature; see the table below.",
        "UnknownColumnError": "Give the role access to the field, or remove it from the workflow file.",
        "NotReadError": "Solve the error of the record type that the text names; this one follows.",
    },
    "Workflow files and plans": {
        "WorkflowFileError": "Correct the line that the text names; `millpond validate` checks all files.",
        "MappingError": "Correct the row that the text names, or run the workflow that makes the table.",
        "SyncError": "Do what the text says; nothing was sent.",
        "PlanError": "Make a new plan: `millpond plan`.",
        "NothingHeldError": "Run or plan the workflows first; `millpond explain RECORD` says what they decided.",
        "ShadowedError": "End shadow mode once the other connector is off; see [Shadow mode](../shadow.md).",
        "SelectionError": "Correct the ids; `millpond candidates WORKFLOW --all` says why a record cannot be imported.",
        "UnsendableError": "See the reason code `rejected_…` in [Reasons](reasons.md).",
        "InterruptedDeliveryError": "Nothing: the next run checks in the target what was sent.",
        "NotEnabledError": "Do what the text says; nothing was changed.",
        "NewWorkflowError": "Choose another target or source; `millpond fields` lists them.",
        "RenameError": "Do what the text says; running the command again continues.",
        "ActivationError": "Correct the workflow file first; `millpond validate` names the line.",
        "SwitchOnError": "Write `on: true` for each schedule in `groups.yaml` yourself.",
        "ExportError": "Export the mapping from the connector again; the text names the place.",
        "NotationError": "Correct the line of the export, or map the field manually.",
        "ConditionError": "Write the condition manually, in `select.where`.",
        "WorkflowsError": "Correct the file that the text names; see [Rehearse a change](../simulate.md).",
        "SavedError": "Choose one of the names in the text, or save the simulation again.",
        "NotConvertibleError": "Write the row manually; the list of `millpond import-mapping` names it.",
    },
    "Settings, files and the warehouse": {
        "SettingsError": "Correct the variable that the text names, see [Settings](settings.md).",
        "AccountError": "Set `MILLPOND_ACCOUNT` to one of the accounts.",
        "WarehouseError": "Do what the text says; for a damaged file see [Backup and restore](../operate/backup.md).",
        "CatalogError": "Start PostgreSQL, or correct `MILLPOND_WAREHOUSE_CATALOG`.",
        "EncryptionError": "Set `MILLPOND_ENCRYPTION_KEY` to the key with which the plans were stored.",
        "ChainError": "Set `MILLPOND_LEDGER_KEY` to the key that signed last; see [Ledger audit](../ledger-audit.md).",
        "SigningKeyError": "Make a key as [Ledger audit](../ledger-audit.md#set-the-key) shows.",
        "DamagedFileError": "Restore the file, or do what the text says.",
        "BackupError": "Do what the text says; nothing was replaced.",
        "ReadOutError": "Read the table out again with the query that the text names.",
        "UpgradeError": "Do what the text says, then `millpond upgrade` again.",
    },
    "Users, the console and alerts": {
        "UsersError": "Restore or correct `users.json`; until then no one can sign in.",
        "PasswordError": "Choose another password.",
        "ProxyError": "Correct `MILLPOND_AUTH_HEADER` and `MILLPOND_AUTH_PROXIES`, or the proxy.",
        "NotAllowedError": "Ask an approver, or change the role: `millpond user role`.",
        "LaunchError": "Do what Dagster's text says; the console started nothing.",
        "orchestration.web.console.site.BusyError": "Nothing: the page loads again by itself.",
        "RefusedError": "Compare the script's secret with `MILLPOND_WEBHOOK_SECRETS`, and the two clocks.",
        "LoginError": "Do what the text says, then `millpond login suiteprojects` again.",
        "NotSentError": "Correct the receiver's settings; `millpond alerts test` proves it. The message is sent again.",
        "StoppedError": "Nothing: the run was stopped on purpose.",
    },
}  # fmt: skip
