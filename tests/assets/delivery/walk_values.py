"""Values that change in NetSuite without a date in a random walk: no run reads them until the nights have.

change_silently(walk), nights(walk)  ->  walk.unread: per record the row that was read last, and NetSuite's row since
"""

from tests.assets.delivery.walk_events import WalkEvents


def change_silently(walk: WalkEvents) -> None:
    """Give a record a new name without a date."""
    key = walk.dice.choice(list(walk.records()))
    row = walk.records()[key]
    read = dict(walk.last_read(key, row))
    row["company_name" if "company_name" in row else "project_name"] = walk.new_name()
    walk.unread[key] = (read, dict(row))
    walk.log.append(f"{key} changed without a date")


def nights(walk: WalkEvents) -> None:
    """Let as many nights pass as it takes to read every value again."""
    walk.log.append(f"the nights read {len(walk.unread)} silent changes")
    walk.unread.clear()
