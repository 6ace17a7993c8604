"""The command `dagster-webserver` of the image: Dagster's chart starts it, and the guarded server answers.

-h HOST -p PORT -w WORKSPACE [--read-only] …  ->  options()  ->  orchestration.web.webserver
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from orchestration.web.webserver import serve


def options(tokens: Sequence[str]) -> Namespace:
    """Return host, port, workspace and read_only; settings of the storage and of the log have no effect here."""
    parser = ArgumentParser(prog="dagster-webserver", add_help=False, allow_abbrev=False)
    parser.add_argument("-h", "--host", default="0.0.0.0")  # noqa: S104 - in a pod; the sign-in is in front
    parser.add_argument("-p", "--port", type=int, required=True)
    parser.add_argument("-w", "--workspace", type=Path, required=True)
    parser.add_argument("--read-only", action="store_true")
    for ignored in (
        "--db-statement-timeout", "--db-pool-recycle", "--db-pool-max-overflow", "--log-level", "--log-format",
    ):  # fmt: skip
        parser.add_argument(ignored)
    return parser.parse_args(tokens)


def main() -> None:
    """Serve as the chart asks."""
    given = options(sys.argv[1:])
    serve(given.host, given.port, read_only=given.read_only, workspace=given.workspace)


if __name__ == "__main__":
    main()
