"""The README's examples run as printed, with tiny budgets.

Every ``bash`` and ``python`` block is run, in order, in one folder, unless the line before it is ``<!-- not run: the reason -->``.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shoal.cli import app

from .session import ROOT, Session, blocks, languages, with_tiny_budget

README = ROOT / "README.md"
BLOCKS = blocks(README)
RUN = [block for block in BLOCKS if block.reason is None and block.language in ("bash", "python")]


def test_every_block_names_its_language():
    assert set(languages(README)) <= {"bash", "python", "text"}
    assert len(languages(README)) == len(BLOCKS)


def test_every_example_states_its_budget():
    costly = re.compile(r"^.*(?:shoal improve|improve\(|ShoalClassifier\(|ShoalRegressor\().*$", re.MULTILINE)
    lines = [line for block in RUN for line in costly.findall(block.text)]
    assert lines
    assert [line for line in lines if with_tiny_budget(line) == line] == []


def test_the_options_table_is_that_of_the_command():
    section = README.read_text().partition("## Options of `shoal improve`")[2].partition("\n## ")[0]
    documented = {option for row in re.findall(r"^\| (`--.+?`) \|", section, re.MULTILINE) for option in re.findall(r"--[a-z-]+", row)}
    output = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, ["improve", "--help"], prog_name="shoal").stdout
    assert documented == set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", output)) - {"--help"}


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    session = Session(tmp_path)
    for block in RUN:
        session.run(block)
