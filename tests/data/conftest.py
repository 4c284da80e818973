"""Where the tests of real tables find their files."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no reason for a law to fail.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public tables; the test is skipped where it is absent."""
    repository = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("SHOAL_TEST_DATA", repository.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real tables in {folder}: set SHOAL_TEST_DATA to a folder that holds them")
    return folder
