"""Switches for NetSuite's behavior that the fact sheet leaves open, and for anomalies."""

from dataclasses import dataclass
from typing import Literal

from resources.sandbox.switches import switch


@dataclass(frozen=True)
class NetSuiteSwitches:
    """Behavior of the simulated NetSuite account."""

    # schema
    hidden_tables: tuple[str, ...] = switch((), "Tables that the role may not see.", "netsuite.md §1.5 [L]")
    empty_tables: tuple[str, ...] = switch(
        (), "Tables that return no rows, as for a restricted role.", "netsuite.md §5.2 [C]"
    )
    hidden_records: tuple[str, ...] = switch(
        (),
        'Records that the role may not see, as "table.key", as for a role without access to their subsidiary.',
        "netsuite.md §5.2 [C]",
    )
    blank_columns: tuple[str, ...] = switch(
        (),
        'Columns that show no values, as "table.column", as for a role without access to a field.',
        "netsuite.md §5.2 [C]",
    )
    hidden_columns: tuple[str, ...] = switch(
        (), 'Columns that do not exist in this account, as "table.column".', "netsuite.md §5 [C]"
    )
    custom_fields: tuple[str, ...] = switch(
        (),
        'Custom fields beside the built-in ones, as "table.name:kind"; kind is text, bool, int, number, date,'
        " timestamp, list or multi.",
        "netsuite.md §5.4 [C]",
    )
    stage_column: str = switch(
        "searchstage", "Name of the customer's stage: searchstage ('Lead') or stage ('LEAD').", "netsuite.md §5.1 [U]"
    )
    customer_subsidiary: bool = switch(
        False, "Table customer has a column subsidiary (the primary one).", "netsuite.md §5.1 [U]"
    )
    job_subsidiary: bool = switch(
        False, "Table job has a column subsidiary (its customer's primary one).", "netsuite.md §5.3 [U]"
    )
    job_parent: str = switch(
        "project",
        "Value of job.parent in a sub-project: the parent project ('project') or the customer ('customer').",
        "netsuite.md §5.3 [U]",
    )
    deleted_type_case: str = switch(
        "as_given", "Spelling of deletedrecord.type: as_given, lower, upper or title.", "netsuite.md §5.5 [U]"
    )
    deleted_type_custjob: bool = switch(
        False, "Deleted customers, leads, prospects and projects all have the type custjob.", "netsuite.md §5.5 [U]"
    )
    address_moves_parent: bool = switch(
        False, "A changed address moves the customer's lastmodifieddate.", "netsuite.md §9.2 [U]"
    )
    relationship_moves_parent: bool = switch(
        False, "A changed subsidiary relationship moves the customer's lastmodifieddate.", "netsuite.md §9.2 [U]"
    )
    conversion_moves_date: bool = switch(
        True, "A conversion of a lead or prospect moves lastmodifieddate.", "netsuite.md §5.1 [U]"
    )

    merge_moves_dates: bool = switch(
        True, "A merge moves lastmodifieddate of the survivor and of what it takes over.", "netsuite.md §5.5 [U]"
    )
    merge_notes_loser: bool = switch(True, "The loser of a merge is in deletedrecord.", "netsuite.md §5.5 [U]")

    # SuiteQL
    prefer_required: bool = switch(
        True, "A request without 'Prefer: transient' is rejected with 400.", "netsuite.md §1.1 [D]"
    )
    prefer_text: str = switch(
        "Invalid value for the request header 'Prefer'. The value must be 'transient'.",
        "Error text for a missing Prefer header.",
        "netsuite.md §1.1 [U]",
    )
    row_cap: int = switch(100_000, "Maximum number of rows of one query; 0: no limit.", "netsuite.md §1.1 [D]/[U]")
    page_cap: int = switch(1000, "Maximum number of pages of one query; 0: no limit.", "netsuite.md §1.1 [D]")
    union_allowed: bool = switch(True, "UNION and other set operations work.", "netsuite.md §1.3 [U]")
    with_allowed: bool = switch(False, "WITH works over REST.", "netsuite.md §1.3 [U]")
    fetch_first_allowed: bool = switch(True, "FETCH FIRST n ROWS ONLY works.", "netsuite.md §1.3 [U]")
    top_allowed: bool = switch(True, "SELECT TOP n works.", "netsuite.md §1.3 [C]")
    unknown_column_text: str = switch(
        "identifier",
        "Error text for an unknown column: identifier ('Unknown identifier'), field ('Field … was not found'), or the"
        " text itself, such as 'Invalid or unsupported search.'",
        "netsuite.md §1.5 [L]",
    )
    unknown_column_status: int = switch(400, "HTTP status of that error: 400, 403, 404 or 500.", "netsuite.md §1.5 [L]")
    hidden_table_text: str = switch(
        "",
        "Error text for a table that the role may not see, such as 'Ogiltig sökning.'; empty: Record … was not found.",
        "netsuite.md §1.5 [L]",
    )
    hidden_table_status: int = switch(400, "HTTP status of that error: 400, 403, 404 or 500.", "netsuite.md §1.5 [L]")
    unknown_column_500: bool = switch(
        False, "An unknown column is answered with 500 UNEXPECTED_ERROR.", "netsuite.md §1.5 [L]"
    )
    failing_rows: tuple[str, ...] = switch(
        (),
        'Rows, as "table.key", with which any page of more than their keys is answered with 500 UNEXPECTED_ERROR.',
        "netsuite.md §1.5 [U]",
    )
    shuffle_unordered: bool = switch(
        True, "Without a unique ORDER BY, each page has another order of rows.", "netsuite.md §1.4 [D]"
    )
    shuffle_seed: int = switch(1, "Seed of that order.", "netsuite.md §1.4 [D]")
    order_needs_asc: bool = switch(
        False, "ORDER BY has no effect without an explicit ASC or DESC.", "netsuite.md §1.4 [C]"
    )
    half_page_every: int = switch(0, "Every n-th query returns half of its rows; 0: never.", "netsuite.md §1.4 [U]")
    half_page_reports: Literal["count", "total"] = switch(
        "total",
        "Fields of such a response that still report the whole page: count and totalResults, or totalResults alone.",
        "netsuite.md §1.2 [U]",
    )
    bad_text: str = switch(
        "",
        "Bytes, in hexadecimal, that replace the text '<bad>' in every response: a byte that is not UTF-8, or the"
        " escape of a lone surrogate; empty: none.",
        "netsuite.md §1.2 [U]",
    )
    null_as_text: bool = switch(
        False, "A column without a value is a blank text, and not left out of the row.", "netsuite.md §1.2 [U]"
    )
    byte_order_mark: bool = switch(False, "A response begins with a UTF-8 byte-order mark.", "netsuite.md §1.2 [U]")
    between_half_open: bool = switch(False, "BETWEEN excludes its upper bound.", "netsuite.md §1.4 [C]")
    session_zone: str = switch(
        "America/Los_Angeles", "Time zone of the integration user's session.", "netsuite.md §5.7 [L]"
    )
    date_format: str = switch("M/D/YYYY", "Date format preference of the integration user.", "netsuite.md §5.7 [L]")
    deleteddate_zone: str = switch(
        "America/Los_Angeles", "Time zone in which deleteddate is displayed and compared.", "netsuite.md §5.5 [D]"
    )
    ambiguous_hour: str = switch(
        "standard",
        "Meaning of a time in the hour repeated by the autumn clock change: standard or daylight.",
        "netsuite.md §5.7 [U]",
    )
    sys_extract_utc_works: bool = switch(
        True, "SYS_EXTRACT_UTC on a column works in this account.", "netsuite.md §10.10 [U]"
    )
    error_type_uri: str = switch(
        "rfc9110", "Link in error responses: rfc9110 (2026) or w3c (older).", "netsuite.md §1.5 [L]"
    )

    # writes by other users
    late_share: float = switch(
        0.0,
        "Share of the writes that become visible after their timestamp, as in a long transaction.",
        "netsuite.md §9.2 [I]",
    )
    late_s: int = switch(60, "Maximum delay of such a write in seconds; the minimum is half.", "netsuite.md §9.2 [I]")
    late_seed: int = switch(1, "Seed of the selection and delay of late writes.", "netsuite.md §9.2 [I]")
    edit_every: int = switch(
        0,
        "After every n-th query a row of the queried table is saved by another user; 0: never.",
        "netsuite.md §1.4 [D]",
    )
    edit_seed: int = switch(1, "Seed of the selection of that row.", "netsuite.md §1.4 [D]")
    clock_skew_s: int = switch(
        0, "Seconds by which NetSuite's clock is ahead; negative: behind.", "netsuite.md §3.3 [D]"
    )

    company_language: str = switch(
        "",
        "The company's default language, such as zh, where the user has another one: other requests are rejected with"
        " 400 INVALID_HEADER; empty: any language is accepted.",
        "github.com/airbytehq/airbyte/issues/34137 [L]",
    )

    # sign-in
    token_lifetime_s: int = switch(3600, "Lifetime of an access token in seconds.", "netsuite.md §3.4 [D]")
    token_calls: int = switch(
        0, "Requests after which an access token is revoked early; 0: never.", "netsuite.md §3.4 [U]"
    )
    expires_in_text: bool = switch(False, "expires_in is a string.", "netsuite.md §3.4 [U]")
    tba_allowed: bool = switch(True, "Token-based authentication (OAuth 1) still works.", "netsuite.md §3.1 [D]")
    lock_after: int = switch(5, "Failed sign-ins that lock the user; 0: never.", "netsuite.md §3.3 [D]")
    lock_s: int = switch(1800, "Seconds that a user stays locked.", "netsuite.md §3.3 [D]")

    # limits
    concurrency_limit: int = switch(5, "Concurrent requests of the account; 0: no limit.", "netsuite.md §4 [D]")
    concurrency_title: str = switch("Too Many Requests", "Title of the 429 response.", "netsuite.md §10.7 [U]")
    concurrency_as_401: bool = switch(
        False, "Too many concurrent requests get 401 INVALID_LOGIN instead of 429.", "netsuite.md §1.5 [C]"
    )
    retry_after: str = switch("", "Retry-After header of the 429 response; empty: none.", "netsuite.md §10.6 [U]")
    calls_per_minute: int = switch(0, "Requests per 60 seconds; 0: no limit.", "netsuite.md §4 [U]")
    calls_per_day: int = switch(0, "Requests per 24 hours; 0: no limit.", "netsuite.md §4 [U]")
    burst_every: int = switch(0, "Requests per burst of 429 responses; 0: no bursts.", "netsuite.md §4 [D]")
    burst_calls: int = switch(2, "Requests in a row that a burst rejects.", "netsuite.md §4 [D]")
    occupied_slots: int = switch(0, "Concurrency slots held by other integrations.", "netsuite.md §4 [D]")
    occupied_every_s: int = switch(
        0, "Interval in seconds at which they are held; 0: permanently.", "netsuite.md §4 [D]"
    )
    occupied_for_s: int = switch(60, "Seconds for which they are held each time.", "netsuite.md §4 [D]")
    integration_limit: int = switch(0, "The integration's own concurrency limit; 0: none.", "netsuite.md §2.6 [D]")
    latency_ms: int = switch(0, "Milliseconds added to each response.", "netsuite.md §4 [I]/[U]")
    latency_mean_ms: int = switch(
        0, "Mean of a further delay with an exponential distribution.", "netsuite.md §4 [I]/[U]"
    )
    latency_seed: int = switch(
        1, "Seed of those delays; the same request has the same delay.", "netsuite.md §4 [I]/[U]"
    )
    latency_clock: Literal["wall", "sandbox"] = switch(
        "wall",
        "Clock of the delays: the machine's, or the sandbox's, which may jump.",
        "netsuite.md §4 [I]/[U]",
    )

    # permissions
    governance_visible: bool = switch(
        True, "governanceLimits is visible; otherwise 403, because it needs an administrator.", "netsuite.md §2.6 [D]"
    )
    metadata_visible: bool = switch(True, "The metadata catalog is visible; otherwise 403.", "netsuite.md §2.5 [U]")
