"""Switches for SuiteProjects Pro's behavior that the fact sheet leaves open, and for the account's limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from resources.sandbox.switches import switch

ACCOUNT = "suiteprojects_api.md §1.6: per account, numbers not published [U]"
_USUAL = (
    "AED ARS AUD BDT BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JPY KES KRW MAD"
    " MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON RSD SAR SEK SGD THB TRY TWD UAH USD UYU VND ZAR"
)
CURRENCIES = tuple(_USUAL.split())


@dataclass(frozen=True)
class SuiteProjectsSwitches:
    """Behavior of the simulated SuiteProjects Pro account."""

    # limits
    requests_per_minute: int | None = switch(None, "Requests per 60 seconds; none: no limit.", ACCOUNT)
    requests_per_day: int | None = switch(100_000, "Requests per 24 hours; none: no limit.", ACCOUNT)
    max_limit: int = switch(1000, "Maximum `limit` of one Read; above it: 605.", "suiteprojects_api.md §1.3 [D]")
    max_rows: int | None = switch(
        None, "Rows that one Read returns at most, without an error; none: as many as asked for.", ACCOUNT
    )
    max_objects: int = switch(1000, "Records written by one request; above it: 555.", "suiteprojects_api.md §1.6 [D]")
    too_many_objects: Literal["auth", "command"] = switch(
        "auth",
        "Place of 555: on Auth, with nothing executed, or on each command beyond the limit.",
        "suiteprojects_api.md §1.2 and §1.6 [U]",
    )
    max_commands: int | None = switch(None, "Commands of one request; above it: 855.", "suiteprojects_api.md §1.6 [C]")
    max_read_objects: int | None = switch(
        None, "Sum of the limits of all Reads of one request; above it: 854.", "suiteprojects_api.md §1.6 [U]"
    )
    # signing in
    bad_token_status: int = switch(
        9, "Auth status of an invalid or expired access token.", "suiteprojects_api.md §1.2: exact status [U]"
    )
    after_failed_auth: Literal["status 2", "absent"] = switch(
        "status 2", "Response blocks of the commands after a failed Auth.", "suiteprojects_api.md §8.1 [U]"
    )
    auth_status: int | None = switch(
        None,
        "Status of every Auth: 414 (down), 416 (locked), 419 (retry) and so on; none: normal.",
        "suiteprojects_api.md §1.2 [D]",
    )
    access_token_life_s: int = switch(3600, "Lifetime of an access token in seconds.", "suiteprojects_api.md §3 [U]")
    refresh_token_life_s: int = switch(86_400, "Lifetime of a refresh token in seconds.", "suiteprojects_api.md §3 [D]")
    token_error_status: int | None = switch(
        None,
        "HTTP status of a rejected token request; none: 401 for a wrong application, 400 for a wrong token.",
        "suiteprojects_api.md §3: status [U]",
    )
    filter_set_cache: bool = switch(
        False,
        "Records created after a token was issued are hidden from it until `clear_filter_cache`.",
        "suiteprojects_api.md §1.3 [D]; a user without filter sets sees everything",
    )
    clear_filter_cache: Literal["token", "read"] = switch(
        "token",
        "`clear_filter_cache` shows later records to all Reads of the token from then on, or to that Read alone.",
        "suiteprojects_api.md §1.3 [U]",
    )
    hidden_records: tuple[str, ...] = switch(
        (),
        'Records that a filter set of the user hides from every Read, as "Type.id"; they can be written by id.',
        "suiteprojects_api.md §1.3 [D]; that they can be written is [U]",
    )
    malformed_status: int = switch(
        10, "Auth status of a request that is not well-formed XML.", "suiteprojects_api.md §1.4 [U]"
    )
    lookup_finds_hidden: bool = switch(
        True,
        "`lookup` of an Add finds records that a filter set hides; off: it adds a second one.",
        "suiteprojects_api.md §1.3 [U]",
    )
    # reading
    unstable_order: bool = switch(
        False, "Without `order`, each Read has another order.", "suiteprojects_api.md §1.3 [C]"
    )
    newer_than_inclusive: bool = switch(
        False, "`newer-than` and `older-than` include the given second.", "suiteprojects_api.md §5 [U]"
    )
    empty_query_value: Literal["ignored", "blank"] = switch(
        "ignored",
        "Meaning of an empty element in a query without `empty_is_nil=\"false\"`: no condition, or 'has no value'.",
        "suiteprojects_api.md §1.3 [U]",
    )
    text_ignores_case: bool = switch(False, "`equal to` and `lookup` ignore case.", "suiteprojects_api.md §1.3 [U]")
    false_as: Literal["empty", "zero"] = switch(
        "empty", "Representation of false: an empty element or 0.", "suiteprojects_api.md §1.4 [C both]"
    )
    flag_style: Literal["digits", "words"] = switch(
        "digits",
        "Flags in responses are 1 and blank or 0, or the words true and false.",
        "suiteprojects_api.md §1.4 [C]",
    )
    blank_properties: Literal["element", "absent"] = switch(
        "element",
        "A blank property is an empty element, or left out of the record.",
        "suiteprojects_api.md §1.4 [C, U]",
    )
    empty_read_status: int = switch(
        601, "Status of a Read without rows: 601, 0, 1 or 910.", "suiteprojects_api.md §1.3 [C]"
    )
    unknown_errors: Sequence[str] = switch(
        (), "External ids of records whose writes are answered with 1, unknown error.", "suiteprojects_api.md §1.7 [C]"
    )
    node_flags: Literal["isanode", "is_a_node", "both"] = switch(
        "isanode", "Names of a hierarchy node's two flags in responses.", "suiteprojects_api.md §4 [U]"
    )
    # writing
    write_echo: Literal["full", "id"] = switch(
        "full", "Add and Modify return the whole record or its id alone.", "suiteprojects_api.md §1.3 [D full]"
    )
    multiple_objects_per_add: bool = switch(
        True, "One Add may have several records, a block each; otherwise status 3.", "suiteprojects_api.md §10.12 [U]"
    )
    multiple_matches: Literal["852", "first", "create"] = switch(
        "852",
        "Effect of a `lookup` with several matches: 852, a change of the first one, or a new record.",
        "suiteprojects_api.md §1.3 [U]",
    )
    external_id_unique: bool = switch(
        False, "A second record with the same external id is rejected with 852.", "suiteprojects_api.md §5 [U]"
    )
    project_name_unique: bool = switch(
        False, "A second project with the same name and customer is rejected with 943.", "suiteprojects_api.md §4 [I]"
    )
    template_copies: Sequence[str] = switch(
        ("budget", "budget_time", "billing_code", "notes"),
        "Properties that a project added with `template_project_id` copies from the template by default.",
        "suiteprojects_api.md §4: `copy_*` on add [D]; which by themselves [U]",
    )
    template_in_responses: bool = switch(
        True, "A project keeps the `template_project_id` that it was created from.", "suiteprojects_api.md §4 [U]"
    )
    node_ids: Literal["replace", "add"] = switch(
        "replace",
        "A write of `hierarchy_node_ids` replaces the list or adds to it.",
        "suiteprojects_api.md §5 [U]",
    )
    address_modify: Literal["merge", "replace"] = switch(
        "merge",
        "A Modify with a part of an address keeps the other parts, or clears them.",
        "suiteprojects_api.md §1.5 [U]",
    )
    unchangeable: Sequence[str] = switch(
        (),
        'Properties by "Type.property", such as "Customer.notes", that a Modify leaves as they are without saying so.',
        "suiteprojects_api.md §1.5: form rules and permissions of a field [U]",
    )
    unchanged_modify_moves_updated: bool = switch(
        True, "A Modify without a change still moves `updated`.", "suiteprojects_api.md §5 [U]"
    )
    duplicate_association_status: int = switch(
        1050, "Status of a duplicate association of a record with a node.", "suiteprojects_api.md §4: code [U]"
    )
    association_modify_status: int = switch(
        803, "Status of a Modify of an association.", "suiteprojects_api.md §4: code [U]"
    )
    unknown_custom_field_status: int = switch(
        0,
        "Status of a write with an unknown custom field; 0: ignored.",
        "suiteprojects_api.md §1.3 [U]",
    )
    currencies: Sequence[str] | None = switch(
        CURRENCIES,
        "Currencies enabled in the account; others are rejected with 837; none: all are enabled.",
        "suiteprojects_api.md §1.7 [C]",
    )
    default_currency: str = switch("", "Default currency of a new record.", "suiteprojects_api.md §4 [U]")
    default_customer_type: str = switch(
        "C", "Default type of a new customer.", "suiteprojects_connector.md §2: leads arrive as C [D]"
    )
    trims_text: bool = switch(
        False, "Leading and trailing blanks of values are silently removed.", "suiteprojects_api.md §10 [U]"
    )
    text_case: Literal["as_sent", "upper"] = switch(
        "as_sent", "Text is stored as sent, or silently converted to upper case.", "suiteprojects_api.md §10 [U]"
    )
    number_decimals: int | None = switch(
        None, "Decimals to which numbers are silently rounded; none: stored as sent.", "suiteprojects_api.md §1.4 [U]"
    )
    echo_values: Literal["stored", "sent"] = switch(
        "stored",
        "Values in the whole record that a write returns: as stored, or as sent.",
        "suiteprojects_api.md §1.3 [U]",
    )
    strict_lengths: Mapping[str, int] | None = switch(
        None,
        'Maximum lengths by "Type.property", such as {"Customer.name": 50}; none: not enforced.',
        "suiteprojects_api.md §4: lengths [U]",
    )
    long_values: Literal["reject", "cut"] = switch(
        "reject",
        "Effect of a value that is too long: 2001 (1102 for a custom field), or silently cut.",
        "suiteprojects_api.md §4 [U]",
    )
