"""Draws the pictures of the README from a real run, about a minute: docs/images/terminal.svg and report.png (needs chromium).

python docs/pictures.py
"""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

import shoal
from shoal.report import Progress, summary, write_report

IMAGES = Path(__file__).resolve().parent / "images"
COMMAND = "shoal improve example:digits --budget 1m --seed 1 --out runs/digits"


def main() -> None:
    """Run the command, record what it shows, and photograph its report."""
    console = Console(record=True, width=104, file=io.StringIO(), highlight=False)
    console.print(Text.assemble(("$ ", "green"), (COMMAND, "bold")))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with Progress(console=console) as progress:
            result = shoal.improve("example:digits", budget="1m", seed=1, out="runs/digits", listener=progress, command=COMMAND)
        console.print()
        console.print(summary(result.record, Path("runs/digits")))
        IMAGES.mkdir(exist_ok=True)
        (IMAGES / "terminal.svg").write_text(console.export_svg(title="shoal", unique_id="shoal"))
        write_report(result.record, Path("report.html"))
        photograph(Path("report.html"), IMAGES / "report.png")


def photograph(page: Path, picture: Path, height: int = 800) -> None:
    """What a browser shows of a page, 1,280 pixels wide."""
    switches = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=5000"]
    with tempfile.TemporaryDirectory() as profile:
        places = [f"--user-data-dir={profile}", f"--window-size=1280,{height}", f"--screenshot={picture}", f"file://{page.resolve()}"]
        subprocess.run(["chromium", *switches, *places], check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    main()
