"""The README's examples run as printed, with tiny budgets.

Every ``bash`` and ``python`` block is run, in order, in one folder, unless the line before it is ``<!-- not run: the reason -->``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
FENCE = re.compile(r"(?:^<!-- not run: (?P<reason>.+?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
TINY = "4trials"


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    reason: str | None
    """Why it is not run."""


BLOCKS = [Block(match["language"], match["text"], match["reason"]) for match in FENCE.finditer(README.read_text())]
RUN = [block for block in BLOCKS if block.reason is None and block.language in ("bash", "python")]


def with_tiny_budget(text: str) -> str:
    return re.sub(r"""(--budget |budget=["'])\w+""", rf"\g<1>{TINY}", text)


def test_every_block_names_its_language():
    fences = re.findall(r"^```(\w*)$", README.read_text(), re.MULTILINE)[::2]
    assert set(fences) <= {"bash", "python", "text"}
    assert len(fences) == len(BLOCKS)


def test_every_example_states_its_budget():
    costly = re.compile(r"^.*(?:shoal improve|improve\(|ShoalClassifier\(|ShoalRegressor\().*$", re.MULTILINE)
    lines = [line for block in RUN for line in costly.findall(block.text)]
    assert lines
    assert [line for line in lines if with_tiny_budget(line) == line] == []


ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "200", "NO_COLOR": "1"}


def test_the_options_table_is_that_of_the_command():
    section = README.read_text().partition("## Options of `shoal improve`")[2].partition("\n## ")[0]
    documented = {option for row in re.findall(r"^\| (`--.+?`) \|", section, re.MULTILINE) for option in re.findall(r"--[a-z-]+", row)}
    output = subprocess.run(["shoal", "improve", "--help"], env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout
    assert documented == set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", output)) - {"--help"}


def test_the_examples_run(tmp_path: Path):
    for block in RUN:
        program = (
            ["bash", "-euo", "pipefail", "-c"]
            if block.language == "bash"
            else [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c"]
        )
        result = subprocess.run(
            [*program, with_tiny_budget(block.text)], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=300
        )
        assert result.returncode == 0, f"{block.text}\n{result.stdout}\n{result.stderr}"
