"""Where the tests of real tables find their files."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public tables; the test is skipped where it is absent."""
    folder = Path(os.environ.get("SHOAL_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real tables in {folder}: set SHOAL_TEST_DATA to a folder that holds them")
    return folder
