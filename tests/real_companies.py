"""The file of real companies, which is not part of the project; tests that use it also work without it."""

from pathlib import Path

REAL_COMPANIES = Path(__file__).parents[2] / "shared" / "data" / "companies.csv.gz"
