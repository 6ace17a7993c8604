"""One full extraction of customers, as a process of its own for the bench: python -m tests.bench.extract_ours JSON."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from assets.netsuite.extract.extract import extract
from assets.netsuite.extract.settings import ExtractionSettings
from resources.netsuite.resource import open_netsuite
from resources.warehouse.warehouse import Warehouse


def main() -> None:
    """Extract into the folder that is told."""
    told = json.loads(sys.argv[1])
    settings = ExtractionSettings(custom_columns={"customers": tuple(told["custom"])})
    with open_netsuite(**told["keys"], concurrency=told["lanes"]) as client:
        report = extract(Warehouse(Path(told["folder"])), client, "customers", settings, run_id="bench")
    print(json.dumps(asdict(report)))


if __name__ == "__main__":
    main()
