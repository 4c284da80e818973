"""What augmentation makes of pictures, to look at: an array as the step of a training would change it, and a preview."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from shoal import augmented_pictures, noise
from shoal.augmented_pictures import augmented, preview_augmentation, sheet
from shoal.errors import DataError, InputError, OptionError, RunFolderError
from shoal.nets.augmentation import augment, draw_augmentation
from shoal.recipe import Recipe

PICTURES = np.random.default_rng(0).integers(0, 256, (11, 10, 12, 3)).astype(np.uint8)
RECIPE = Recipe(horizontal_flip=0.5, rotation=20.0, brightness=0.3, cutout=0.3)


def test_pictures_are_changed_as_in_a_training_step_and_rounded():
    draws = draw_augmentation(RECIPE.techniques, noise.stream(5), len(PICTURES))
    mean = jnp.asarray(PICTURES.reshape(-1, 3).mean(0), jnp.float32)
    expected = augment(jnp.asarray(PICTURES, jnp.float32), RECIPE.numbers(5), draws, RECIPE.techniques, mean)
    found = augmented(PICTURES, RECIPE, 5)
    assert found.dtype == np.uint8 and (found != PICTURES).mean() > 0.5
    assert np.abs(found - np.asarray(expected)).max() < 0.51


def test_the_seed_decides_and_a_picture_does_not_depend_on_the_block_that_it_is_in(monkeypatch: pytest.MonkeyPatch):
    usual = augmented(PICTURES, Recipe(crop=0.2, vertical_flip=0.5), 3)
    monkeypatch.setattr(augmented_pictures, "BLOCK", 4)
    np.testing.assert_array_equal(augmented(PICTURES, Recipe(crop=0.2, vertical_flip=0.5), 3), usual)
    assert (augmented(PICTURES, Recipe(crop=0.2, vertical_flip=0.5), 4) != usual).any()


def test_grey_pictures_may_leave_the_channel_out():
    grey = PICTURES[..., 0]
    np.testing.assert_array_equal(augmented(grey, RECIPE), augmented(grey[..., None], RECIPE)[..., 0])


@pytest.mark.parametrize("pictures", [PICTURES, PICTURES[:0]], ids=["without augmentation", "no pictures"])
def test_nothing_to_do_gives_a_copy(pictures: np.ndarray):
    found = augmented(pictures, Recipe(mixup=0.2) if len(pictures) else RECIPE)
    np.testing.assert_array_equal(found, pictures)
    assert found is not pictures


@pytest.mark.parametrize("pictures", [PICTURES / 255, PICTURES[0, :, :, 0], PICTURES.astype(np.int32)], ids=["floats", "one", "integers"])
def test_what_is_no_array_of_pictures_is_refused(pictures: np.ndarray):
    with pytest.raises(DataError, match="uint8"):
        augmented(pictures, RECIPE)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_shows_originals_at_the_left_and_samples_beside_them(channels: int):
    pictures = PICTURES[:2, :, :, :channels]
    page = sheet(pictures, RECIPE, 3, 7)
    times, height, width = 6, 10, 12  # 64 pixels are 5.3 times the longer side
    tall, wide = height * times + 4, width * times + 4
    assert page.shape == (2 * tall, 4 * wide + 6, *((3,) if channels == 3 else ()))
    changed = augmented(np.repeat(pictures, 3, axis=0), RECIPE, 7)
    for row in range(2):
        for column in range(4):
            left = column * wide + 6 * (column > 0) + 2
            seen = page[row * tall + 2 : (row + 1) * tall - 2, left : left + width * times].reshape(height * times, width * times, channels)
            expected = pictures[row] if column == 0 else changed[3 * row + column - 1]
            np.testing.assert_array_equal(seen[::times, ::times], expected)
            np.testing.assert_array_equal(seen[times - 1 :: times, times - 1 :: times], expected)
    assert (page[:2] == 255).all() and (page[:, wide : wide + 6] == 255).all()


def test_a_preview_is_a_png_of_some_of_the_pictures(tmp_path: Path):
    out = tmp_path / "preview.png"
    preview_augmentation(PICTURES, out, RECIPE, rows=4, samples=5, seed=2)
    page = np.asarray(Image.open(io.BytesIO(out.read_bytes())))
    assert out.read_bytes().startswith(b"\x89PNG") and page.shape == (4 * 64, 6 * 76 + 6, 3)
    shown = [page[row * 64 + 2 : row * 64 + 62 : 6, 2:74:6] for row in range(4)]
    places = [next(place for place, each in enumerate(PICTURES) if (each == one).all()) for one in shown]
    assert places == sorted(set(places))
    preview_augmentation(PICTURES, out, RECIPE, rows=4, samples=5, seed=2)
    np.testing.assert_array_equal(np.asarray(Image.open(out)), page)
    preview_augmentation(PICTURES, out, rows=100)
    assert np.asarray(Image.open(out)).shape[0] == len(PICTURES) * 64


WRONG: dict[str, tuple[dict[str, Any], type[InputError], str]] = {
    "a table": ({"source": {"a": [1, 2], "b": [1, 2]}}, DataError, "augmentation is for pictures; received the data frame, a table of 2"),
    "no augmentation": ({"recipe": Recipe(mixup=0.2)}, OptionError, "the recipe changes pictures; received one without augmentation"),
    "numbers": ({"rows": 0, "samples": 2.5, "seed": "x"}, OptionError, "3 problems"),
    "no such folder": ({"out": Path("nowhere") / "preview.png"}, RunFolderError, "the results can be written"),
}


@pytest.mark.parametrize(("given", "error", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_previewed_is_said_with_a_remedy(tmp_path: Path, given: dict[str, Any], error: type[InputError], words: str):
    with pytest.raises(error, match=words):
        preview_augmentation(**({"source": PICTURES, "out": tmp_path / "preview.png", "recipe": RECIPE} | given))
    assert not [*tmp_path.iterdir()]
