"""Runs the command line in this process, as a user would type it."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from shoal.cli import app


def shoal(*arguments: object) -> Result:
    """What the command printed, and how it ended; a bug is raised."""
    return CliRunner(env={"COLUMNS": "200"}).invoke(
        app, [str(argument) for argument in arguments], prog_name="shoal", catch_exceptions=False
    )


def inside(folder: Path) -> set[str]:
    """Everything in a folder, by its path within."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
