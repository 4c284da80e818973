"""The command that shows what augmentation makes of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shoal.augmented_pictures import USUAL, preview_augmentation
from shoal.recipe import Recipe
from shoal.recipe_file import to_toml

from .command import inside, shoal

PICTURES = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1)).astype(np.uint8)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "pictures.npz", x=PICTURES, y=np.arange(20) % 2)
    (tmp_path / "mine.toml").write_text(to_toml(Recipe(rotation=25.0, keep_prob=(0.9, 0.8), clip_norm=1.0)))
    return tmp_path


CASES = {
    "a usual mixture": ([], USUAL, {}),
    "settings": (["--set", "rotation=10", "--set", "crop=.1"], Recipe(rotation=10, crop=0.1), {}),
    "a recipe": (["--recipe", "mine.toml"], Recipe(rotation=25.0), {}),
    "a recipe with another setting": (["--recipe", "mine.toml", "--set", "zoom=0.5"], Recipe(rotation=25.0, zoom=0.5), {}),
    "other pictures": (["--rows", "3", "--seed", "4"], USUAL, {"rows": 3, "seed": 4}),
}


@pytest.mark.parametrize(("options", "recipe", "given"), CASES.values(), ids=CASES)
def test_what_is_asked_for_is_shown(place: Path, options: list[str], recipe: Recipe, given: dict[str, int]):
    result = shoal("augment", "pictures.npz", "--out", "preview.png", *options)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "preview.png\n", "")
    preview_augmentation(PICTURES, place / "expected.png", recipe, **given)
    np.testing.assert_array_equal(Image.open(place / "preview.png"), Image.open(place / "expected.png"))


REFUSED = {
    "several": (["--set", "rotaton=1", "--set", "zoom=-1", "--out", "a.jpg"], ["3 problems", "--out ends in .png", "'rotation'", "zoom"]),
    "none": (["--set", "mixup=0.2", "--out", "a.png"], ["the recipe changes pictures"]),
    "rows": (["--rows", "many", "--out", "a.png"], ["rows is a whole number from 1 to 100; received 'many'"]),
    "a file that exists": (["--out", "pictures.npz"], ["--out is a new file", "--out ends in .png"]),
}


@pytest.mark.parametrize(("options", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_said_and_nothing_is_written(place: Path, options: list[str], words: list[str]):
    before = inside(place)
    result = shoal("augment", "pictures.npz", *options)
    assert result.exit_code == 2 and all(text in result.stderr for text in words), result.stderr
    assert inside(place) == before


def test_a_file_is_replaced_with_force_only(place: Path):
    (place / "preview.png").write_text("mine")
    assert shoal("augment", "pictures.npz", "--out", "preview.png").exit_code == 2
    assert (place / "preview.png").read_text() == "mine"
    assert shoal("augment", "pictures.npz", "--out", "preview.png", "--force").exit_code == 0
    assert (place / "preview.png").read_bytes().startswith(b"\x89PNG")
