"""Every finding has a page in the documentation that says what the check says, with a real example and its picture."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from shoal.diagnose import CHECKS

DOCS = Path(__file__).resolve().parent.parent / "docs"
FINDINGS = DOCS / "findings"


@pytest.fixture
def with_code(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """How a page writes advice, from a module that ``python docs/findings.py`` finds beside itself."""
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("finding_words").with_code


def test_the_index_lists_every_check_and_no_page_is_left_over():
    listed = re.findall(r"^\| \[(SH\d+)\]\((SH\d+)\.md\) \| (.+?) \|", (FINDINGS / "index.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted((check.code, check.code, check.title) for check in CHECKS)
    assert {path.stem for path in FINDINGS.glob("SH*.md")} == {check.code for check in CHECKS}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_a_page_says_what_the_check_says_and_shows_it(check, with_code):
    page = (FINDINGS / f"{check.code}.md").read_text()
    assert page.startswith(f"# {check.code} {check.title}\n")
    assert f"| Counts as found | {check.threshold} |" in page
    assert f"| Source | {check.source} |" in page
    assert f"> **{check.code} {check.title}**" in page
    assert with_code(check.advice) in page
    assert f"(figure:{check.code})" in page
    picture = (FINDINGS / "drawings" / f"{check.code}.html").read_text()
    assert picture.startswith('<figure class="drawn"') and "<path" in picture and "{{caption}}" in picture
    # its colours are the page's, in light and dark
    assert "var(--figure-ink)" in picture and not re.search("#(?:0072b2|d55e00)", picture, re.IGNORECASE)
