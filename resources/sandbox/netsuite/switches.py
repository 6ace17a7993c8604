"""What the NetSuite fact sheet leaves open, as named switches."""

from dataclasses import dataclass
from typing import Literal

from resources.sandbox.switches import switch


@dataclass(frozen=True)
class NetSuiteSwitches:
    """NetSuite's stand-in behaves like this."""

    # schema
    hidden_tables: tuple[str, ...] = switch(
        (), "tables that answer as if the role may not see them", "netsuite.md §1.5 [L]"
    )
    emptied_tables: tuple[str, ...] = switch(
        (), "tables that answer without any row, as a restricted role may see them", "netsuite.md §5.2 [C]"
    )
    hidden_columns: tuple[str, ...] = switch(
        (), '"table.column" names that do not exist in this account', "netsuite.md §5 [C]"
    )
    custom_fields: tuple[str, ...] = switch(
        (),
        '"table.name:kind" of custom fields beside the built-in ones; kind is text, bool, int, number, date,'
        " timestamp, list or multi",
        "netsuite.md §5.4 [C]",
    )
    stage_column: str = switch(
        "searchstage", "name of the customer's stage: searchstage ('Lead') or stage ('LEAD')", "netsuite.md §5.1 [U]"
    )
    customer_subsidiary: bool = switch(
        False, "customer has a column subsidiary (the primary one)", "netsuite.md §5.1 [U]"
    )
    job_subsidiary: bool = switch(
        False, "job has a column subsidiary (its customer's primary one)", "netsuite.md §5.3 [U]"
    )
    job_parent: str = switch(
        "project",
        "job.parent of a sub-project: 'project' is the parent project, 'customer' the customer",
        "netsuite.md §5.3 [U]",
    )
    deleted_type_case: str = switch(
        "as_given", "spelling of deletedrecord.type: as_given, lower, upper or title", "netsuite.md §5.5 [U]"
    )
    deleted_type_custjob: bool = switch(
        False, "deleted customers, leads, prospects and projects all have the type custjob", "netsuite.md §5.5 [U]"
    )
    address_moves_parent: bool = switch(
        False, "a changed address moves the customer's lastmodifieddate", "netsuite.md §9.2 [U]"
    )
    relationship_moves_parent: bool = switch(
        False, "a changed subsidiary relationship moves the customer's lastmodifieddate", "netsuite.md §9.2 [U]"
    )
    conversion_moves_date: bool = switch(
        True, "lead to prospect to customer moves lastmodifieddate", "netsuite.md §5.1 [U]"
    )

    # SuiteQL
    prefer_required: bool = switch(True, "a call without 'Prefer: transient' gets 400", "netsuite.md §1.1 [D]")
    prefer_text: str = switch(
        "Invalid value for the request header 'Prefer'. The value must be 'transient'.",
        "text of the 400 for a missing Prefer header",
        "netsuite.md §1.1 [U]",
    )
    row_cap: int = switch(100_000, "rows that one query can reach; 0 is no limit", "netsuite.md §1.1 [D]/[U]")
    page_cap: int = switch(1000, "pages that one query can reach; 0 is no limit", "netsuite.md §1.1 [D]")
    union_allowed: bool = switch(True, "SELECTs may be joined by UNION and the like", "netsuite.md §1.3 [U]")
    with_allowed: bool = switch(False, "WITH works over REST", "netsuite.md §1.3 [U]")
    fetch_first_allowed: bool = switch(True, "FETCH FIRST n ROWS ONLY works", "netsuite.md §1.3 [U]")
    top_allowed: bool = switch(True, "SELECT TOP n works", "netsuite.md §1.3 [C]")
    unknown_column_text: str = switch(
        "identifier",
        "wording for an unknown column: identifier ('Unknown identifier') or field ('Field … was not found')",
        "netsuite.md §1.5 [L]",
    )
    unknown_column_500: bool = switch(
        False, "an unknown column gets 500 UNEXPECTED_ERROR instead", "netsuite.md §1.5 [L]"
    )
    shuffle_unordered: bool = switch(
        True, "rows without a unique ORDER BY come in another order at each page", "netsuite.md §1.4 [D]"
    )
    shuffle_seed: int = switch(1, "seed of that order", "netsuite.md §1.4 [D]")
    order_needs_asc: bool = switch(
        False, "ORDER BY without an explicit ASC or DESC does not order", "netsuite.md §1.4 [C]"
    )
    half_page_every: int = switch(
        0, "of so many queries the last one comes with half of its rows; 0 never", "netsuite.md §1.4 [U]"
    )
    half_page_tells: Literal["count", "total"] = switch(
        "total",
        "what such an answer says of the whole page: its count, or its totalResults alone",
        "netsuite.md §1.2 [U]",
    )
    between_half_open: bool = switch(False, "BETWEEN leaves its upper bound out", "netsuite.md §1.4 [C]")
    session_zone: str = switch(
        "America/Los_Angeles", "time zone of the integration user's session", "netsuite.md §5.7 [L]"
    )
    date_format: str = switch("M/D/YYYY", "date preference of the integration user", "netsuite.md §5.7 [L]")
    deleteddate_zone: str = switch(
        "America/Los_Angeles", "time zone in which deleteddate is shown and compared", "netsuite.md §5.5 [D]"
    )
    ambiguous_hour: str = switch(
        "standard",
        "reading of a literal in the hour that the autumn change repeats: standard or daylight",
        "netsuite.md §5.7 [U]",
    )
    sys_extract_utc_works: bool = switch(
        True, "SYS_EXTRACT_UTC on a column works in this account", "netsuite.md §10.10 [U]"
    )
    error_type_uri: str = switch(
        "rfc9110", "link in error answers: rfc9110 (2026) or w3c (older)", "netsuite.md §1.5 [L]"
    )

    # writes behind the API's back
    late_share: float = switch(
        0.0,
        "share of the writes that become visible after their time stamp: a long transaction",
        "netsuite.md §9.2 [I]",
    )
    late_s: int = switch(
        60, "seconds that such a write stays invisible at most; half of them at least", "netsuite.md §9.2 [I]"
    )
    late_seed: int = switch(1, "seed of which writes are late, and by how much", "netsuite.md §9.2 [I]")
    edit_every: int = switch(
        0, "after so many queries somebody saves a row of the table that was read; 0 never", "netsuite.md §1.4 [D]"
    )
    edit_seed: int = switch(1, "seed of which row that is", "netsuite.md §1.4 [D]")
    clock_skew_s: int = switch(
        0, "seconds that NetSuite's clock is ahead of the machine's; negative: behind", "netsuite.md §3.3 [D]"
    )

    # sign-in
    token_lifetime_s: int = switch(3600, "seconds that an access token lives", "netsuite.md §3.4 [D]")
    token_calls: int = switch(
        0, "calls after which an access token is withdrawn before its time; 0 never", "netsuite.md §3.4 [U]"
    )
    expires_in_text: bool = switch(False, "expires_in comes as a string", "netsuite.md §3.4 [U]")
    tba_allowed: bool = switch(True, "token-based sign-in (OAuth 1) still works", "netsuite.md §3.1 [D]")
    lock_after: int = switch(5, "failed sign-ins that lock the user; 0 never locks", "netsuite.md §3.3 [D]")
    lock_s: int = switch(1800, "seconds that a locked user stays locked", "netsuite.md §3.3 [D]")

    # governance
    concurrency_limit: int = switch(5, "calls the account answers at once; 0 is no limit", "netsuite.md §4 [D]")
    concurrency_title: str = switch("Too Many Requests", "title of the 429 answer", "netsuite.md §10.7 [U]")
    concurrency_as_401: bool = switch(
        False, "too many calls at once get 401 INVALID_LOGIN instead of 429", "netsuite.md §1.5 [C]"
    )
    retry_after: str = switch("", "Retry-After header of the 429 answer; empty is none", "netsuite.md §10.6 [U]")
    calls_per_minute: int = switch(0, "calls in 60 seconds before 429; 0 is no limit", "netsuite.md §4 [U]")
    calls_per_day: int = switch(0, "calls in 24 hours before 429; 0 is no limit", "netsuite.md §4 [U]")
    burst_every: int = switch(0, "so many calls bring one burst of 429; 0 never", "netsuite.md §4 [D]")
    burst_calls: int = switch(2, "calls in a row that a burst refuses", "netsuite.md §4 [D]")
    foreign_slots: int = switch(0, "slots that other integrations hold", "netsuite.md §4 [D]")
    foreign_every_s: int = switch(
        0, "they come so often, in seconds of the account's clock; 0: they never leave", "netsuite.md §4 [D]"
    )
    foreign_for_s: int = switch(60, "and stay so long each time", "netsuite.md §4 [D]")
    latency_ms: int = switch(0, "milliseconds that each answer takes longer", "netsuite.md §4 [I]/[U]")
    latency_mean_ms: int = switch(
        0, "mean of a further wait, drawn from an exponential distribution", "netsuite.md §4 [I]/[U]"
    )
    latency_seed: int = switch(1, "seed of those waits; the same call waits the same time", "netsuite.md §4 [I]/[U]")
    latency_clock: Literal["wall", "sandbox"] = switch(
        "wall",
        "whose time passes meanwhile: the machine's, or the sandbox's (which may jump)",
        "netsuite.md §4 [I]/[U]",
    )
    integration_limit: int = switch(
        0, "the integration's own slice of the concurrency; 0 is none", "netsuite.md §2.6 [D]"
    )
    governance_visible: bool = switch(
        True, "governanceLimits answers; otherwise 403, for it needs an administrator", "netsuite.md §2.6 [D]"
    )

    # records
    write_answer: str = switch(
        "forbidden", "answer to a write: forbidden (403) or not_allowed (405)", "netsuite.md §1.5 [D]"
    )
    metadata_visible: bool = switch(True, "the metadata catalogue answers; otherwise 403", "netsuite.md §2.5 [U]")
    q_after: Literal["the_day", "midnight"] = switch(
        "the_day",
        "AFTER a date of a moment: after that day, or after the midnight that begins it (airbyte-source-netsuite)",
        "netsuite.md §2.2 [U]",
    )
    lead_readable: bool = switch(True, "GET customer/<id> of a lead or prospect works", "netsuite.md §2 [U]")
