"""The page of conventions: whatever it says is fixed by a test that exists."""

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PAGE = TESTS.parent / "docs" / "conventions.md"
ROWS = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| what |")]


def test_every_convention_names_tests_that_exist():
    written = {name for path in TESTS.rglob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)}
    assert len(ROWS) > 30
    for row in ROWS:
        *_, fixed_by, _ = row.split("|")
        named = re.findall(r"`(test_\w+)`", fixed_by)
        assert named and set(named) <= written, row
