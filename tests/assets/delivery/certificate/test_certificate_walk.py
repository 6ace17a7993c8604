"""No certificate of a random walk claims what is not so, by the sandbox's truth; `MILLPOND_SEEDS=500` makes more."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from assets.delivery.certificate import certify as certify_module
from assets.delivery.certificate.record_states import RECORDS
from tests.assets.delivery.certificate.certificate_walk import CertificateWalk, LieError

SEEDS = int(os.environ.get("MILLPOND_SEEDS", "2"))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_certificate_of_a_walk_claims_what_is_not_so(
    seed: int, tmp_path: Path, counted: Callable[[str, int], None]
) -> None:
    """Silent changes, lost permissions, edits by people, clocks, restores, faults, kills; afterwards it catches up."""
    counted("seeded walks of certificates", 1)
    walk = CertificateWalk(tmp_path, seed)

    walk.go()

    assert walk.claims, "a walk without a claim proves nothing"


@pytest.mark.long
def test_a_walk_detects_a_certificate_that_takes_every_record_for_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk that accepts everything would always pass."""
    truth = certify_module.make_record_states

    def optimistic(con: object, *values: object) -> None:
        truth(con, *values)  # type: ignore[arg-type]
        con.execute(f"update {RECORDS} set kind = 'verified'")  # type: ignore[attr-defined]

    monkeypatch.setattr(certify_module, "make_record_states", optimistic)

    with pytest.raises(LieError, match="through "):
        CertificateWalk(tmp_path, 1).go()
