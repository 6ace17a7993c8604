"""Switches for Precoro's behavior that the fact sheet leaves open."""

from dataclasses import dataclass
from typing import Literal

from resources.sandbox.switches import switch


@dataclass(frozen=True)
class PrecoroSwitches:
    """Behavior of the simulated Precoro."""

    pagination: Literal["both", "old", "new"] = switch(
        "both",
        "Paging keys of lists: total_pages (old), has_next_page (new), or both.",
        "precoro.md §2 [S, C]",
    )
    options_paged: bool = switch(
        True,
        "GET …/options is paged; off: one response with all options and no meta.",
        "precoro.md §5 row 3 [U]",
    )
    default_per_page: int = switch(20, "Page size without per_page.", "precoro.md §2 [U]")
    invalid_per_page: Literal["reject", "nearest"] = switch(
        "reject",
        "A per_page other than 10, 20, 50, 100, 200 is rejected with 400, or replaced by the nearest of them.",
        "precoro.md §2 [U]",
    )
    nested_disabled: Literal["include", "omit"] = switch(
        "include", "Disabled options in the options of a field.", "precoro.md §7.1 [U]"
    )
    listed_disabled: Literal["include", "omit"] = switch(
        "include", "Disabled options in GET …/options.", "precoro.md §12.2 [U]"
    )
    listing_delay_s: int = switch(
        0, "Seconds until GET …/options and the options of a field contain a new option.", "precoro.md §12.2 [U]"
    )
    unstable_order: bool = switch(
        False,
        "Each GET …/options has another order, so that a page may repeat one option and lack another.",
        "precoro.md §5 row 3 [U]",
    )
    parent_in_responses: bool = switch(
        False, "Options have a `parent` key: an object, or [] at the top level.", "precoro.md §5 [U]"
    )
    value_types: Literal["json", "text", "digits"] = switch(
        "json", "Ids, numbers and flags as JSON types, as texts, or flags as 1 and 0.", "precoro.md §1 and §5 [S, U]"
    )
    null_values: Literal["null", "absent"] = switch(
        "null", "A blank value is null, or left out of the record.", "precoro.md §5 [S, U]"
    )
    write_answer: Literal["whole", "id"] = switch(
        "whole", "A write returns the whole option, or its id alone.", "precoro.md §5 rows 4 to 6 [C: id]"
    )
    created_status: int = switch(201, "Status of a create: 200 or 201.", "precoro.md §7.2 [U]")
    validation_status: int = switch(400, "Status of a validation error: 400 or 422.", "precoro.md §4 [U]")
    strict_put: bool = switch(
        False,
        "PUT resets omitted values (enable to off; code, externalId and parent to none).",
        "precoro.md §5 [I]",
    )
    put_can_move_parent: bool = switch(
        True,
        "PUT with another parent[id] moves the option with its children; off: ignored.",
        "precoro.md §12.9 [U]",
    )
    post_external_id: Literal["accept", "ignore"] = switch(
        "accept", "Effect of externalId in a create; ignored: only a PATCH sets it.", "precoro.md §7.2 [U]"
    )
    same_name: Literal["create", "existing"] = switch(
        "create",
        "A create with name and parent of an option that exists makes a second one, or returns that one as it is.",
        "precoro.md §5: uniqueness [U]",
    )
    stored_names: Literal["as_sent", "composed", "entities", "cut"] = switch(
        "as_sent",
        "Names are stored as sent, with composed Unicode characters, with HTML entities, or cut to 20 characters.",
        "precoro.md §5: name [U]",
    )
    unique_external_id: bool = switch(False, "An externalId must be unique within a field.", "precoro.md §5 [U]")
    name_limit: int = switch(256, "Maximum length of a name in characters.", "precoro.md §5 [U]")
    max_depth: int = switch(5, "Maximum level of an option.", "precoro.md §5 [D for XLSX, U for the API]")
    disable_children: bool = switch(
        False, "Disabling an option also disables all options below it.", "precoro.md §7.6 [U]"
    )
    parent_must_be_enabled: bool = switch(False, "A create below a disabled option is rejected.", "precoro.md §7.6 [U]")
    duplicate_dependency: Literal["accept", "reject"] = switch(
        "accept",
        "A dependency that exists already is accepted without an error, or rejected.",
        "precoro.md §5 row 7 [U]",
    )
    json_bodies: bool = switch(True, "Option endpoints accept JSON bodies as well as forms.", "precoro.md §1 [U]")
    external_id_filter: bool = switch(
        False, "external_id[] filters GET …/options; off: ignored like any unknown key.", "precoro.md §2 [U]"
    )
    limit_per_second: bool = switch(True, "1 request per second.", "precoro.md §3 [D]")
    limit_per_minute: bool = switch(True, "60 requests per minute.", "precoro.md §3 [S]")
    limit_per_hour: bool = switch(True, "1,500 requests per hour.", "precoro.md §3 [D]")
    limit_per_day: bool = switch(True, "3,000 requests per day.", "precoro.md §3 [D]")
    limit_identical: bool = switch(True, "An identical GET once a minute and 30 times an hour.", "precoro.md §3 [D]")
    identical_by: Literal["url", "path"] = switch(
        "url",
        "Identity of two GETs: path and query, or the path alone.",
        "precoro.md §3 [D: rule, U: meaning]",
    )
    calls_per_second: int = switch(1, "Requests per second, if limited.", "precoro.md §3 [D]")
    calls_per_minute: int = switch(60, "Requests per minute, if limited; an older page says 300.", "precoro.md §3 [S]")
    calls_per_hour: int = switch(1500, "Requests per hour, if limited.", "precoro.md §3 [D]")
    calls_per_day: int = switch(3000, "Requests per day, if limited.", "precoro.md §3 [D]")
    windows: Literal["sliding", "fixed"] = switch(
        "sliding",
        "Windows of the limits: the time before the request, or the calendar minute, hour and day (UTC).",
        "precoro.md §3 [U]",
    )
    rejected_calls_count: bool = switch(
        False, "A request answered with 429 counts against the limits.", "precoro.md §3 [U]"
    )
    retry_after_header: bool = switch(
        True, "A 429 has the header Retry-After in seconds beside the documented body.", "precoro.md §3 [U]"
    )
