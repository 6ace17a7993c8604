"""Sources that a workflow can name."""

import pytest

from assets.delivery.errors import MappingError
from assets.delivery.spec.sources import key_column


def test_an_unknown_source_is_reported_with_the_known_ones() -> None:
    """A typo in `source:` is the likely cause."""
    with pytest.raises(
        MappingError, match="no source `custmers`; did you mean customers\\? known are customers, projects"
    ):
        key_column("custmers")
