"""Runs the walk-through with pictures and draws what it shows, about six minutes: docs/images/walkthrough/.

Needs chromium and chromium-driver.

python docs/walkthrough.py
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from pictures import photograph
from PIL import Image
from rich.console import Console
from rich.text import Text
from sklearn.datasets import load_digits

IMAGES = Path(__file__).resolve().parent / "images" / "walkthrough"
COMMANDS = {
    "improve": "shoal improve digits --budget 2m --seed 1 --out runs/digits",
    "flip": "shoal try runs/digits --change horizontal_flip=0.5",
    "shift": "shoal try runs/digits --change shift=0.1",
}


def main() -> None:
    """Write the pictures, run the commands, and keep what they show."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "104"}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_digits(Path("digits"))
        subprocess.run(["shoal", "augment", "digits", "--out", "preview.png", "--rows", "5", "--seed", "4"], env=environment, check=True)
        Path("preview.png").replace(IMAGES / "preview.png")
        for name, command in COMMANDS.items():
            shown = subprocess.run(command.split(), env=environment, check=True, capture_output=True, text=True).stdout
            console = Console(record=True, width=104, file=io.StringIO(), highlight=False)
            console.print(Text.assemble(("$ ", "green"), (command, "bold")))
            console.print(Text(shown.rstrip()))
            (IMAGES / f"{name}.svg").write_text(console.export_svg(title="shoal", unique_id=name))
        photograph(Path("runs/digits/report.html"), IMAGES / "report.png")


def write_digits(folder: Path) -> None:
    """The digits that come with scikit-learn, 8 x 8 pixels each, as PNG files in one folder per class."""
    digits = load_digits()
    for number, (picture, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        place = folder / str(label) / f"{number:04}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((picture * 255 / 16).astype(np.uint8)).save(place)


if __name__ == "__main__":
    main()
