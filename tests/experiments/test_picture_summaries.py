"""Pictures in numbers: each against NumPy and SciPy or a picture drawn by hand, and what a two-sample test makes of them."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.fft import dctn

from shoal.data import load
from shoal.data.pictures.encoder import PictureEncoder
from shoal.experiments.column_codes import coded_columns, codes
from shoal.experiments.picture_summaries import summaries_of, summarised
from shoal.experiments.two_sample import compare_tables, reference_codes, two_sample

GREY = PictureEncoder("picture", 16, 12, 1, (20.0,), (60.0,))
PHOTO = PictureEncoder("picture", 16, 12, 3, (120.0,) * 3, (60.0,) * 3)


def numbers(pictures, encoder=GREY):
    """By name, of each picture."""
    found = summarised(encoder, pictures.reshape(len(pictures), -1))
    assert found.shape == (len(pictures), len(summaries_of(encoder))) and np.isfinite(found).all()
    return {summary.name: found[:, index] for index, summary in enumerate(summaries_of(encoder))}


def noise(rows, channels=1, seed=0, shape=(16, 12)):
    return np.random.default_rng(seed).integers(0, 256, (rows, *shape, channels), dtype=np.uint8)


def strokes(rows, width, seed=0, side=20):
    """A bright upright line on black at a random place, like a handwritten 1."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 12, (rows, side, side, 1)).astype(np.float64)
    for picture, left, top, ink in zip(
        pictures, rng.integers(3, 12, rows), rng.integers(2, 5, rows), rng.normal(200, 15, rows), strict=True
    ):
        picture[top : top + 12, left : left + width] = ink
    return np.clip(pictures, 0, 255).astype(np.uint8)


def test_light_and_edges_are_those_of_numpy_and_scipy():
    pictures = noise(5)
    found, grey = numbers(pictures), pictures[..., 0] / 255
    np.testing.assert_allclose(found["brightness"], grey.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(found["contrast"], grey.std(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(found["share of nearly black pixels"], (grey < 0.1).mean(axis=(1, 2)))
    np.testing.assert_allclose(found["share of nearly white pixels"], (grey > 0.9).mean(axis=(1, 2)))
    fine = np.stack([each - ndimage.uniform_filter(each, 3, mode="nearest") for each in grey])
    np.testing.assert_allclose(found["sharpness"], np.sqrt((fine**2).mean(axis=(1, 2))) / grey.std(axis=(1, 2)), rtol=1e-4)
    np.testing.assert_allclose(found["grain"], np.median(np.abs(fine).reshape(5, -1), axis=1), rtol=1e-4)
    whole = pictures[..., 0].astype(int)
    down, across = np.abs(whole[:, 1:, :-1] - whole[:, :-1, :-1]), np.abs(whole[:, :-1, 1:] - whole[:, :-1, :-1])
    np.testing.assert_allclose(found["share of edges"], ((down > 51) | (across > 51)).mean(axis=(1, 2)))


def test_areas_are_means_and_the_pattern_is_a_cosine_transform():
    pictures = noise(3)
    grey = pictures[..., 0] / 255
    found = summarised(GREY, pictures.reshape(3, -1))
    areas, pattern = found[:, -35 - 16 : -35], found[:, -35:]
    np.testing.assert_allclose(areas, grey.reshape(3, 4, 4, 4, 3).mean(axis=(2, 4)).reshape(3, -1), rtol=1e-4)
    expected = np.asarray(dctn(grey, axes=(1, 2))) / (4 * 16 * 12)
    np.testing.assert_allclose(pattern, expected[:, :6, :6].reshape(3, -1)[:, 1:], atol=1e-5)


def test_a_drawn_bar_has_its_own_width_size_and_place():
    picture = np.zeros((1, 16, 12, 1), np.uint8)
    picture[0, 2:14, 3:6] = 200  # 12 high, 3 wide
    found = {name: float(value[0]) for name, value in numbers(picture).items()}
    assert found["stroke width"] == pytest.approx(2 * 36 / 30)
    assert (found["height of what is drawn"], found["width of what is drawn"]) == pytest.approx((12 / 16, 3 / 12))
    assert (found["place from the top"], found["place from the left"]) == pytest.approx((8 / 16, 4.5 / 12))


def test_ink_on_white_paper_is_what_chalk_on_black_is():
    picture = np.zeros((1, 16, 12, 1), np.uint8)
    picture[0, 2:14, 3:6] = 200
    chalk, ink = numbers(picture), numbers(255 - picture)
    for name in ("stroke width", "height of what is drawn", "place from the left", "sharpness"):
        assert chalk[name] == pytest.approx(ink[name])


def test_colours_are_named_and_photographs_have_no_strokes():
    pictures = np.zeros((3, 16, 12, 3), np.uint8)
    pictures[0, ..., 0], pictures[1, ..., 2], pictures[2] = 255, 255, 128
    found = numbers(pictures, PHOTO)
    assert found["colourfulness"] == pytest.approx([1, 1, 0])
    assert found["red against green"] == pytest.approx([1, 0, 0]) and found["blue against yellow"] == pytest.approx([-0.5, 1, 0])
    assert "stroke width" not in found


@pytest.mark.parametrize("shape", [(4, 4, 1), (4, 64, 3), (1, 1, 1)])
@pytest.mark.parametrize("level", [0, 255, 90])
def test_blank_and_tiny_pictures_have_finite_numbers(shape, level):
    height, width, channels = shape
    encoder = PictureEncoder("picture", height, width, channels, (10.0,) * channels, (10.0,) * channels)
    if min(shape[:2]) > 1:
        numbers(np.full((2, *shape), level, np.uint8), encoder)


def test_each_picture_counts_alone():
    pictures = noise(400, 3)
    whole = summarised(PHOTO, pictures.reshape(400, -1))
    np.testing.assert_allclose(whole[[7, 300]], summarised(PHOTO, pictures[[7, 300]].reshape(2, -1)), rtol=1e-4, atol=1e-6)


def test_thicker_strokes_and_blurred_pictures_are_told_apart_and_said_so():
    data = load(strokes(500, 2), y=np.arange(500) % 2)
    columns, frame = coded_columns(data.preparation), data.division.tables.main
    train = codes(data.preparation, frame)
    thick = load(strokes(500, 5, seed=1), y=np.arange(500) % 2)
    found = two_sample(train, codes(data.preparation, thick.division.tables.main), columns, seed=0)
    assert found is not None and found.auc.low > 0.9
    assert any(clue.text.startswith("dev pictures have thicker strokes (stroke width ") for clue in found.columns)
    blurred = np.stack([ndimage.gaussian_filter(each.astype(float), (1.2, 1.2, 0)) for each in strokes(500, 2, seed=2)]).astype(np.uint8)
    test = compare_tables(reference_codes(data), data.preparation, blurred)
    assert test is not None and test.auc.low > 0.9 and any("new pictures are blurrier" in clue.text for clue in test.columns)


def test_a_mirrored_set_is_told_apart_though_nothing_but_places_differ():
    rng = np.random.default_rng(3)
    pictures = np.clip(noise(600, seed=1) * 0.3 + np.linspace(40, 110, 12)[None, None, :, None] + rng.normal(0, 20, (600, 1, 1, 1)), 0, 255)
    pictures = pictures.astype(np.uint8)
    data = load(pictures[:300], y=np.arange(300) % 2)
    test = compare_tables(reference_codes(data), data.preparation, pictures[300:, :, ::-1])
    assert test is not None and test.auc.low > 0.9 and any("right" in clue.name or "left" in clue.name for clue in test.columns)


def test_sets_of_one_kind_are_not_told_apart():
    alarms = 0
    for seed in range(10):
        data = load(strokes(240, 3, seed=seed), y=np.arange(240) % 2)
        table = codes(data.preparation, data.division.tables.main)
        found = two_sample(table[:120], table[120:], coded_columns(data.preparation), seed=seed)
        assert found is not None
        alarms += found.p_value < 0.05
    assert alarms <= 3  # binomial(10, 0.05) exceeds that in 0.1 % of cases
