"""What the fact sheet leaves open about SuiteProjects Pro, one switch each, and an account's own limits."""

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
    """One SuiteProjects Pro account as it might be."""

    # limits
    requests_per_minute: int | None = switch(None, "Requests allowed in 60 seconds; none: no limit.", ACCOUNT)
    requests_per_day: int | None = switch(100_000, "Requests allowed in 24 hours; none: no limit.", ACCOUNT)
    max_limit: int = switch(1000, "Largest `limit` of one Read; above it: 605.", "suiteprojects_api.md §1.3 [D]")
    max_objects: int = switch(1000, "Objects written by one request; above it: 555.", "suiteprojects_api.md §1.6 [D]")
    too_many_objects: Literal["auth", "command"] = switch(
        "auth",
        "Where 555 appears: on Auth with nothing done, or on each command beyond the limit.",
        "suiteprojects_api.md §1.2 and §1.6 [U]",
    )
    max_commands: int | None = switch(None, "Commands in one request; above it: 855.", "suiteprojects_api.md §1.6 [C]")
    max_read_objects: int | None = switch(
        None, "Sum of the limits of all Reads of one request; above it: 854.", "suiteprojects_api.md §1.6 [U]"
    )
    # signing in
    bad_token_status: int = switch(
        9, "Auth status of a wrong or expired access token.", "suiteprojects_api.md §1.2: exact status [U]"
    )
    after_failed_auth: Literal["status 2", "absent"] = switch(
        "status 2", "What the commands after a refused Auth answer.", "suiteprojects_api.md §8.1 [U]"
    )
    auth_status: int | None = switch(
        None,
        "Answers every Auth with this status: 414 (down), 416 (locked), 419 (retry) and so on.",
        "suiteprojects_api.md §1.2 [D]",
    )
    access_token_life_s: int = switch(3600, "Seconds an access token lives.", "suiteprojects_api.md §3 [U]")
    refresh_token_life_s: int = switch(86_400, "Seconds a refresh token lives.", "suiteprojects_api.md §3 [D]")
    filter_set_cache: bool = switch(
        False,
        "Hides from a token what was created after it was issued, until `clear_filter_cache`.",
        "suiteprojects_api.md §1.3 [D]; a user without filter sets sees everything",
    )
    malformed_status: int = switch(
        10, "Auth status of a request that is not well-formed XML.", "suiteprojects_api.md §1.4 [U]"
    )
    # reading
    unstable_order: bool = switch(
        False, "Rows come in another order on each call unless `order` is given.", "suiteprojects_api.md §1.3 [C]"
    )
    newer_than_inclusive: bool = switch(
        False, "Whether `newer-than` and `older-than` include the given second.", "suiteprojects_api.md §5 [U]"
    )
    empty_query_value: Literal["ignored", "blank"] = switch(
        "ignored",
        "What an empty element in a query means without `empty_is_nil=\"false\"`: no condition, or 'has no value'.",
        "suiteprojects_api.md §1.3 [U]",
    )
    text_ignores_case: bool = switch(
        False, "`equal to` and `lookup` compare texts without case.", "suiteprojects_api.md §1.3 [U]"
    )
    false_as: Literal["empty", "zero"] = switch(
        "empty", "How a boolean that is off is shown: an empty element or 0.", "suiteprojects_api.md §1.4 [C both]"
    )
    node_flags: Literal["isanode", "is_a_node", "both"] = switch(
        "isanode", "Spelling of a hierarchy node's two flags in answers.", "suiteprojects_api.md §4 [U]"
    )
    # writing
    write_echo: Literal["full", "id"] = switch(
        "full", "Whether Add and Modify echo the whole object or its id alone.", "suiteprojects_api.md §1.3 [D full]"
    )
    several_objects_per_add: bool = switch(
        True, "One Add may hold several objects, a block each; else status 3.", "suiteprojects_api.md §10.12 [U]"
    )
    several_matches: Literal["852", "first", "create"] = switch(
        "852", "What a `lookup` with several matches does.", "suiteprojects_api.md §1.3 [U]"
    )
    external_id_unique: bool = switch(
        False, "A second record with an external id in use is refused with 852.", "suiteprojects_api.md §5 [U]"
    )
    project_name_unique: bool = switch(
        False, "A second project of that name under one customer is refused with 943.", "suiteprojects_api.md §4 [I]"
    )
    template_copies: Sequence[str] = switch(
        ("budget", "budget_time", "billing_code", "notes"),
        "What a project added with `template_project_id` takes from the template unless it is given.",
        "suiteprojects_api.md §4: `copy_*` on add [D]; which by themselves [U]",
    )
    template_shown: bool = switch(
        True, "Whether a project goes on to show the template that it was made from.", "suiteprojects_api.md §4 [U]"
    )
    node_ids: Literal["replace", "add"] = switch(
        "replace",
        "Whether writing `hierarchy_node_ids` replaces the list or adds to it.",
        "suiteprojects_api.md §5 [U]",
    )
    address_modify: Literal["merge", "replace"] = switch(
        "merge", "Whether a Modify with part of an address keeps the other parts.", "suiteprojects_api.md §1.5 [U]"
    )
    unchanged_modify_moves_updated: bool = switch(
        True, "A Modify that changes nothing still moves `updated`.", "suiteprojects_api.md §5 [U]"
    )
    duplicate_association_status: int = switch(
        1050, "Status of a second association of one record with one node.", "suiteprojects_api.md §4: code [U]"
    )
    association_modify_status: int = switch(
        803, "Status of a Modify of an association.", "suiteprojects_api.md §4: code [U]"
    )
    unknown_custom_field_status: int = switch(
        0,
        "Status of a write that names a custom field which does not exist; 0: ignored.",
        "suiteprojects_api.md §1.3 [U]",
    )
    currencies: Sequence[str] | None = switch(
        CURRENCIES,
        "Currencies enabled in the account, others are refused with 837; none: any.",
        "suiteprojects_api.md §1.7 [C]",
    )
    default_currency: str = switch("", "Currency of a record added without one.", "suiteprojects_api.md §4 [U]")
    default_customer_type: str = switch(
        "C", "Type of a customer added without one.", "suiteprojects_connector.md §2: leads arrive as C [D]"
    )
    trims_text: bool = switch(
        False, "Leading and trailing blanks of values are dropped silently.", "suiteprojects_api.md §10 [U]"
    )
    text_case: Literal["as_sent", "upper"] = switch(
        "as_sent", "Letters of texts are kept as sent, or silently made capitals.", "suiteprojects_api.md §10 [U]"
    )
    number_decimals: int | None = switch(
        None, "Decimals that numbers are silently rounded to; none: kept as sent.", "suiteprojects_api.md §1.4 [U]"
    )
    echo_values: Literal["kept", "sent"] = switch(
        "kept",
        "Whether a full echo shows the values as they are kept, or repeats those that were sent.",
        "suiteprojects_api.md §1.3 [U]",
    )
    strict_lengths: Mapping[str, int] | None = switch(
        None,
        'Greatest lengths by "Type.property", such as {"Customer.name": 50}; none: not enforced.',
        "suiteprojects_api.md §4: lengths [U]",
    )
    long_values: Literal["reject", "cut"] = switch(
        "reject",
        "What happens to a value that is too long: 2001 (1102 for a custom field) or silently cut.",
        "suiteprojects_api.md §4 [U]",
    )
