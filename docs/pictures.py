"""Draws the pictures of the README from a real run, about three minutes: docs/images/terminal.svg, report.png and report-dark.png.

Needs chromium and chromium-driver.

python docs/pictures.py
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.text import Text
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.support.ui import WebDriverWait

import shoal
from shoal.report import Progress, summary, write_report

IMAGES = Path(__file__).resolve().parent / "images"
COMMAND = "shoal improve example:digits --budget 3m --seed 1 --out runs/digits"


class Screen(Console):
    """Wraps long lines, as a terminal does; in the drawing they would be cut off."""

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
        """As every console, but at its width."""
        super().print(*objects, soft_wrap=False, **options)


def main() -> None:
    """Run the command, record what it shows, and photograph its report."""
    console = Screen(record=True, width=104, file=io.StringIO(), highlight=False)
    console.print(Text.assemble(("$ ", "green"), (COMMAND, "bold")))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with Progress(console=console) as progress:
            result = shoal.improve("example:digits", budget="3m", seed=1, out="runs/digits", listener=progress, command=COMMAND)
        console.print()
        console.print(summary(result.record, Path("runs/digits")))
        IMAGES.mkdir(exist_ok=True)
        (IMAGES / "terminal.svg").write_text(console.export_svg(title="shoal", unique_id="shoal"))
        write_report(result.record, Path("report.html"))
        photograph(Path("report.html"), IMAGES / "report.png")


def photograph(page: Path, picture: Path, height: int = 800) -> None:
    """What a browser shows of a report, 1,280 pixels wide, to readers who prefer light and, in ``NAME-dark``, to those who prefer dark."""
    options = ChromeOptions()
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(switch)
    options.binary_location = str(shutil.which("chromium"))
    with Chrome(options=options, service=ChromeService(shutil.which("chromedriver"))) as browser:
        size = {"width": 1280, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for scheme, taken in (("light", picture), ("dark", picture.with_stem(f"{picture.stem}-dark"))):
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
            browser.get(page.resolve().as_uri())
            WebDriverWait(browser, 60).until(lambda shown: shown.execute_script("return document.documentElement.dataset.drawn"))
            browser.save_screenshot(str(taken))
            Image.open(taken).convert("RGB").quantize(256).save(taken, optimize=True)


if __name__ == "__main__":
    main()
