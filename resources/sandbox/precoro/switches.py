"""What the fact sheet leaves open about Precoro, one named switch each."""

from dataclasses import dataclass
from typing import Literal

from resources.sandbox.switches import switch


@dataclass(frozen=True)
class PrecoroSwitches:
    """The switches of Precoro's stand-in."""

    pagination: Literal["both", "old", "new"] = switch(
        "both",
        "Which paging keys lists carry: total_pages (old), has_next_page (new), or both.",
        "precoro.md §2 [S, C]",
    )
    options_paged: bool = switch(
        True,
        "GET …/options comes in pages; off: one answer with every option and no meta.",
        "precoro.md §5 row 3 [U]",
    )
    default_per_page: int = switch(20, "Page size when per_page is not given.", "precoro.md §2 [U]")
    odd_per_page: Literal["refuse", "nearest"] = switch(
        "refuse",
        "Another per_page than 10, 20, 50, 100, 200: 400, or the nearest of them.",
        "precoro.md §2 [U]",
    )
    nested_disabled: Literal["include", "omit"] = switch(
        "include", "Whether options nested in a field include disabled ones.", "precoro.md §7.1 [U]"
    )
    listed_disabled: Literal["include", "omit"] = switch(
        "include", "Whether GET …/options includes disabled options.", "precoro.md §12.2 [U]"
    )
    parent_in_answers: bool = switch(
        False, "Options carry a `parent` key: an object, or [] at the top.", "precoro.md §5 [U]"
    )
    created_status: int = switch(201, "Status of a create: 200 or 201.", "precoro.md §7.2 [U]")
    refused_status: int = switch(400, "Status of a validation failure: 400 or 422.", "precoro.md §4 [U]")
    strict_put: bool = switch(
        False,
        "PUT resets what it does not name (enable to off, code, externalId and parent to none).",
        "precoro.md §5 [I]",
    )
    put_can_move_parent: bool = switch(
        True,
        "PUT with another parent[id] moves the option with its children; off: ignored.",
        "precoro.md §12.9 [U]",
    )
    post_external_id: Literal["honour", "ignore"] = switch(
        "honour", "Whether a create takes externalId, or only a PATCH afterwards.", "precoro.md §7.2 [U]"
    )
    unique_external_id: bool = switch(False, "An externalId may occur once in a field.", "precoro.md §5 [U]")
    name_limit: int = switch(256, "Longest name in characters.", "precoro.md §5 [U]")
    max_depth: int = switch(5, "Deepest level of an option.", "precoro.md §5 [D for XLSX, U for the API]")
    disable_children: bool = switch(
        False, "Disabling an option disables everything below it as well.", "precoro.md §7.6 [U]"
    )
    parent_must_be_enabled: bool = switch(False, "A create below a disabled option is refused.", "precoro.md §7.6 [U]")
    depend_add_twice: Literal["take", "refuse"] = switch(
        "take", "A tie that is there already is taken once more without a word, or refused.", "precoro.md §5 row 7 [U]"
    )
    json_bodies: bool = switch(True, "Option endpoints take JSON bodies beside forms.", "precoro.md §1 [U]")
    external_id_filter: bool = switch(
        False, "external_id[] filters GET …/options; off: ignored like any unknown key.", "precoro.md §2 [U]"
    )
    limit_per_second: bool = switch(True, "1 request a second.", "precoro.md §3 [D]")
    limit_per_minute: bool = switch(True, "60 requests a minute.", "precoro.md §3 [S]")
    limit_per_hour: bool = switch(True, "1,500 requests an hour.", "precoro.md §3 [D]")
    limit_per_day: bool = switch(True, "3,000 requests a day.", "precoro.md §3 [D]")
    limit_identical: bool = switch(True, "The same GET once a minute and 30 times an hour.", "precoro.md §3 [D]")
    identical_by: Literal["url", "path"] = switch(
        "url",
        "What makes two GETs identical: path and query, or the path alone.",
        "precoro.md §3 [D: rule, U: meaning]",
    )
    calls_per_second: int = switch(1, "Requests a second, when limited.", "precoro.md §3 [D]")
    calls_per_minute: int = switch(60, "Requests a minute, when limited; an older page said 300.", "precoro.md §3 [S]")
    calls_per_hour: int = switch(1500, "Requests an hour, when limited.", "precoro.md §3 [D]")
    calls_per_day: int = switch(3000, "Requests a day, when limited.", "precoro.md §3 [D]")
    windows: Literal["sliding", "fixed"] = switch(
        "sliding",
        "Limits count back from now, or from the start of the minute, hour, day (UTC).",
        "precoro.md §3 [U]",
    )
    refused_calls_count: bool = switch(False, "A call answered 429 counts against the limits.", "precoro.md §3 [U]")
    retry_after_header: bool = switch(
        True, "429 carries Retry-After in seconds beside the documented body.", "precoro.md §3 [U]"
    )
