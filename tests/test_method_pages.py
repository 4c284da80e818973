"""The pages of the method: recipes are recipes, Python runs, commands exist, and every topic that is measured has a place."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from shoal.explanations import ITEMS
from shoal.recipe import Recipe

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = sorted((DOCS / "method").glob("*.md"))
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
