"""Extract all customers in a process of its own, for the benchmark: python -m tests.bench.extract_ours JSON."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from assets.netsuite.extract.extract import extract
from assets.netsuite.extract.settings import ExtractionSettings
from resources.netsuite.connect import open_netsuite
from resources.warehouse.warehouse import Warehouse


def main() -> None:
    """Extract into the given folder."""
    job = json.loads(sys.argv[1])
    settings = ExtractionSettings(custom_columns={"customers": tuple(job["custom"])})
    with open_netsuite(**job["keys"], concurrency=job["slots"]) as client:
        report = extract(Warehouse(Path(job["folder"])), client, "customers", settings, run_id="bench")
    print(json.dumps(asdict(report)))


if __name__ == "__main__":
    main()
