"""Pages of the documentation: their blocks of code, and a session that runs them in order, as a reader would type them.

Commands of shoal's run in this process, so that a page costs what its work costs and not the start of many processes. A block that is
not run follows a line ``<!-- not run: the reason -->``; its commands are parsed all the same.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from shoal.cli import app
from shoal.recipe import Recipe
from shoal.space_file import read_space

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"(?:^<!-- not run: (?P<reason>.+?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
BUDGET = re.compile(r"""(--budget |budget=["'])\w+""")
TINY = "4trials"
SHELL = re.compile(r"[|&;<>$]")
"""Lines with one of these need a shell."""


@dataclass(frozen=True)
class Block:
    """One block of code of a page."""

    language: str
    text: str
    reason: str | None
    """Why it is not run."""

    @property
    def lines(self) -> list[str]:
        """Commands of a shell, without comments and prompts."""
        joined = self.text.replace("\\\n", " ").splitlines()
        stripped = [re.sub(r"(^|\s+)#.*$", "", line).removeprefix("$ ").strip() for line in joined]
        return [line for line in stripped if line]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    return [Block(match["language"], match["text"], match["reason"]) for match in FENCE.finditer(page.read_text())]


def languages(page: Path) -> list[str]:
    """The language of every block, empty where none is named."""
    return re.findall(r"^```(\w*).*$", page.read_text(), re.MULTILINE)[::2]


def with_tiny_budget(text: str) -> str:
    """The text with every budget replaced."""
    return BUDGET.sub(rf"\g<1>{TINY}", text)


def check_command(line: str) -> None:
    """Parse a command: its name and its options are shoal's, its values have the right types; a ``make`` target or a script exists."""
    words = shlex.split(line)
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(words[1:]) <= set(targets), line
    elif words[0] == "python" and words[1].endswith(".py"):
        assert (ROOT / words[1]).is_file(), line
    elif words[0] == "shoal":
        command, context = typer.main.get_command(app), None
        rest = words[1:]
        while hasattr(command, "commands"):
            assert rest and rest[0] in command.commands, f"no such command: {line}"  # pyright: ignore[reportAttributeAccessIssue]
            command = command.commands[rest[0]]  # pyright: ignore[reportAttributeAccessIssue]
            rest = rest[1:]
        context = command.make_context(words[1], rest)
        assert not [word for word in context.args if word.startswith("-")], f"no such option: {line}"


def check_toml(text: str) -> None:
    """A block of settings is a recipe, or the file of a space."""
    settings = tomllib.loads(text)
    assert settings
    if any(isinstance(value, dict) for value in settings.values()):
        return  # a session writes it and reads it
    Recipe.from_dict(settings)


FINISHED: dict[str, Path] = {}
"""Where the run of a command on an example lies. What an earlier page has run is copied: same command, same run."""


class Session:
    """Runs the blocks of one page, in order.

    Args:
        folder: the working directory, which the caller has changed to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "page"}
        self.printed: list[str] = []

    def run(self, block: Block) -> None:
        """Run one block; an error of any kind is raised."""
        if block.language == "python":
            exec(compile(with_tiny_budget(block.text), "<page>", "exec"), self.names)
        elif block.language == "bash":
            for line in block.lines:
                self.command(with_tiny_budget(line))
        elif block.language == "toml":
            self.settings(block.text)

    def command(self, line: str) -> None:
        """Run one command."""
        words = shlex.split(line)
        if words[0] != "shoal" or SHELL.search(line):
            scripts = Path(sys.executable).parent
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", f'PATH="{scripts}:$PATH"; {line}'], capture_output=True, text=True)
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
            self.printed.append(done.stdout)
            return
        if line in FINISHED:
            shutil.copytree(FINISHED[line], self.folder / FINISHED[line].relative_to(FINISHED[line].parents[1]))
            return
        runner = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"})
        result = runner.invoke(app, words[1:], prog_name="shoal", catch_exceptions=False)
        assert result.exit_code == 0, f"{line}\n{result.output}"
        self.printed.append(result.stdout)
        if words[1] == "improve" and words[2].startswith("example:"):
            FINISHED[line] = self.folder / words[words.index("--out") + 1]

    def settings(self, text: str) -> None:
        """Write the file that a first line ``# NAME.toml`` names; a recipe or a space."""
        check_toml(text)
        named = re.match(r"# ([\w-]+\.toml)\b", text)
        path = self.folder / (named[1] if named else "settings.toml")
        path.write_text(text)
        if any(isinstance(value, dict) for value in tomllib.loads(text).values()):
            assert read_space(path).families
