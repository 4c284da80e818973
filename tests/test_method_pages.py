"""The pages of the method: recipes are recipes, Python runs, commands exist, and every topic that is measured has a place."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from shoal.explanations import ITEMS
from shoal.recipe import Recipe

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = [*sorted((DOCS / "method").glob("*.md")), DOCS / "augmentation.md"]
FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
MEASURED = re.compile(r"<!-- measured: (?P<topic>[\w-]+) -->\n(?P<text>.*?)<!-- end -->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    page: str
    language: str
    text: str


BLOCKS = [Block(page.stem, match["language"], match["text"]) for page in PAGES for match in FENCE.finditer(page.read_text())]
of = {
    language: [pytest.param(block, id=f"{block.page}-{number}") for number, block in enumerate(BLOCKS) if block.language == language]
    for language in ("toml", "python")
}


def test_every_block_is_of_a_language_that_is_checked_here():
    assert {block.language for block in BLOCKS} <= {"toml", "python", "bash", "text"}
    assert len(of["toml"]) >= 15 and len(of["python"]) >= 3


@pytest.mark.parametrize("block", of["toml"])
def test_a_recipe_of_a_page_is_a_recipe_that_differs_from_the_default_or_names_it(block: Block):
    settings = tomllib.loads(block.text)
    assert settings and Recipe.from_dict(settings)


@pytest.mark.parametrize("block", of["python"])
def test_the_python_of_a_page_runs(block: Block, tmp_path: Path):
    result = subprocess.run([sys.executable, "-c", block.text], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr


def test_every_command_of_a_page_is_one_of_shoals():
    from shoal.cli import app

    known = {command.name or command.callback.__name__.replace("_", "-") for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups}
    lines = [line for block in BLOCKS if block.language == "bash" for line in block.text.splitlines()]
    used = {line.split()[1] for line in lines if line.startswith("shoal ")}
    assert used and used <= known


def test_every_topic_has_one_place_and_every_place_was_measured():
    places = [match["topic"] for page in PAGES for match in MEASURED.finditer(page.read_text())]
    sources = "".join(path.read_text() for path in sorted((DOCS / "measuring").glob("*.py")))
    topics = re.findall(r'^@topic\("([\w-]+)"', sources, re.MULTILINE)
    assert sorted(places) == sorted(topics)
    empty = [match["topic"] for page in PAGES for match in MEASURED.finditer(page.read_text()) if "|" not in match["text"]]
    assert empty == []


def test_every_item_of_sections_2_3_4_6_and_7_that_an_explanation_names_has_a_heading():
    headings = re.findall(r"^## (\d\.\d)", "\n".join(page.read_text() for page in PAGES), re.MULTILINE)
    items = {number for number in ITEMS if number[0] in "23467"}
    assert items <= set(headings)


def test_every_picture_is_shown_once_and_small():
    shown = re.findall(r"\]\(\.\./images/method/([\w-]+\.png)\)", "".join(page.read_text() for page in PAGES))
    pictures = {path.name: path.stat().st_size for path in (DOCS / "images" / "method").iterdir()}
    assert sorted(shown) == sorted(pictures)
    assert max(pictures.values()) < 150_000


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch):
    """The modules that ``python docs/measured.py`` finds beside itself."""
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module


def test_an_interval_is_the_paired_t_interval_of_scipy(measuring):
    comparison = measuring("measuring.comparison")
    rng = np.random.default_rng(0)
    base, variant = rng.normal(size=8), rng.normal(0.3, size=8)
    low, high = stats.ttest_rel(variant, base).confidence_interval(0.95)
    assert comparison.half_width(variant - base) == pytest.approx((high - low) / 2)
    for shift in (-3.0, -low + 1e-6, -high - 1e-6, 0.0):  # just outside and just inside the interval
        moved = variant + shift
        assert comparison.is_clear(moved, base) == (stats.ttest_rel(moved, base).pvalue < 0.05)


def test_on_the_bowl_plain_descent_takes_the_steps_of_its_closed_form(measuring):
    surfaces = measuring("measuring.surfaces")
    bowl, rate = surfaces.SURFACES[0], 0.015
    walked = surfaces.paths(bowl, [Recipe(optimiser="gradient_descent", learning_rate=rate)], count=60)[0]
    turn = np.array([[np.cos(np.pi / 6), np.sin(np.pi / 6)], [-np.sin(np.pi / 6), np.cos(np.pi / 6)]])
    along_and_across = turn @ np.array(bowl.start) * (1 - rate * np.array([1, 100])) ** np.arange(61)[:, None]
    np.testing.assert_allclose(walked @ turn.T, along_and_across, atol=1e-5)


def test_only_what_stands_between_the_markers_of_a_topic_is_replaced(measuring):
    page = "before\n<!-- measured: a -->\nold\n<!-- end -->\n<!-- measured: b -->\n<!-- end -->\n"
    assert measuring("measured").replaced(page, "a", "new") == page.replace("\nold\n", "\n\nnew\n\n")
