"""Odd pictures and mistakes of whole data sets: by name, beside the errors without them, against NumPy and scikit-learn."""

from functools import partial

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from shoal.data import load
from shoal.experiments.data_faults import measure_data_faults
from shoal.experiments.left_out import PartAnswers, error_without
from shoal.experiments.mistakes import measure_mistakes, row_names
from shoal.experiments.picture_faults import measure_picture_faults, picture_faults
from shoal.experiments.repeats import share_of
from shoal.metrics import METRICS
from shoal.saved_run import as_written, to_plain


def scenes(rows, seed, side=16):
    """Smooth random pictures, no two alike, like small photographs."""
    random = np.random.default_rng(seed)
    coarse = random.normal(size=(rows, 4, 4, 3)).repeat(side // 4, axis=1).repeat(side // 4, axis=2)
    return np.clip(128 + 45 * (coarse + 0.2 * random.normal(size=(rows, side, side, 3))), 0, 255).astype(np.uint8)


def with_copies():
    """Dev pictures 0 to 5 equal training pictures, 10 to 16 nearly do; dev picture 20 is blank."""
    train, dev = scenes(300, 0), scenes(100, 1)
    dev[:6] = train[40:46]
    dev[10:17] = np.clip(train[60:67].astype(int) + np.random.default_rng(2).integers(-3, 4, train[60:67].shape), 0, 255)
    dev[20] = 90
    return load(train, y=np.arange(300) % 3, dev=(dev, np.arange(100) % 3), test_size=0)


def answers_of(data, part, wrong):
    """Sure answers, wrong in these rows."""
    truth = data.truth[part]
    said = np.where(np.isin(np.arange(len(truth)), wrong), (truth + 1) % 3, truth)
    probability = np.eye(3)[said] * 0.85 + 0.05
    return PartAnswers(truth, (probability,), (probability,))


def test_repeats_are_named_by_row_and_weighed_by_the_error_without_them():
    data = with_copies()
    places = data.division.places["dev"][1]
    wrong = np.flatnonzero((places >= 25) & (places % 5 == 0))
    found = picture_faults(data, seed=0, answers={"dev": answers_of(data, "dev", wrong)}, metric=METRICS["error"])
    [repeated] = found.repeated
    train_rows = set(data.division.places["train"][1].tolist())
    exact = {row for row in range(6) if row + 40 in train_rows}
    near = {row for row in range(10, 17) if row + 50 in train_rows}
    assert (repeated.exact, repeated.near) == (len(exact), len(near)) and len(exact) > 2 and len(near) > 3
    assert {pair.name for pair in repeated.exact_pairs} == {f"row {row} of the dev data" for row in exact}
    assert {pair.train_name for pair in repeated.near_pairs} == {f"row {row + 50} of the train data" for row in near}
    copies = np.isin(places, [*exact, *near])
    assert repeated.cost is not None and repeated.cost.rows == copies.sum()
    is_wrong = np.isin(np.arange(100), wrong)
    assert repeated.cost.whole.value == pytest.approx(is_wrong.mean())
    assert repeated.cost.without.value == pytest.approx(is_wrong[~copies].mean())
    assert 0 < repeated.cost.change.low < repeated.cost.change.value < repeated.cost.change.high
    assert repeated.share.low < (len(exact) + len(near)) / 100 < repeated.share.high and repeated.expected.value == 0
    truth, twins = data.truth, dict(zip(data.division.places["train"][1].tolist(), data.truth["train"].tolist(), strict=True))
    differ = [truth["dev"][index] != twins[row + (40 if row < 6 else 50)] for index, row in enumerate(places) if copies[index]]
    assert repeated.disagreeing == pytest.approx(np.mean(differ))
    blank = {odd.part: odd for odd in found.blank}["dev"]
    assert (blank.count, blank.names) == (1, ("row 20 of the dev data",)) and blank.cost is not None and blank.cost.rows == 1


def test_a_part_without_answers_is_not_looked_at():
    data = load(scenes(300, 0), y=np.arange(300) % 3)
    found = picture_faults(data, seed=0, answers={"dev": answers_of(data, "dev", [])}, metric=METRICS["error"])
    assert {each.part for each in found.repeated} == {"dev"} and {each.part for each in found.blank} == {"train", "dev"}
    assert {each.part for each in picture_faults(data, seed=0).repeated} == {"dev", "test"}


def test_pictures_of_a_folder_go_by_their_paths(tmp_path):
    pictures = scenes(120, 3)
    pictures[7] = 200
    for row, pixels in enumerate(pictures):
        folder = tmp_path / ("cats" if row % 2 else "dogs")
        folder.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{row:03}.png")
    data = load(tmp_path)
    blank = [odd for odd in picture_faults(data, seed=0).blank if odd.count]
    assert len(blank) == 1 and blank[0].names[0].endswith("cats/007.png")
    assert all(name.endswith(".png") for name in row_names(data, "dev", np.arange(3)))


def test_of_pictures_no_column_is_asked_and_the_record_survives_saving(tmp_path):
    found = measure_data_faults(with_copies(), seed=0)
    assert found.exact is None and found.near is None and found.leaks == found.derived == found.ids == ()
    assert found.pictures is not None and found.pictures.repeated[0].exact > 2
    assert as_written(to_plain(found), type(found), tmp_path) == found


def test_other_sources_are_told_apart_in_words():
    dark = (scenes(300, 4) * 0.4).astype(np.uint8)
    data = load(scenes(300, 0), y=np.arange(300) % 3, dev=(dark, np.arange(300) % 3))
    found = measure_data_faults(data, seed=0)
    assert found.mismatch is not None and found.mismatch.auc.low > 0.95
    assert any(clue.text.startswith("dev pictures are darker (brightness ") for clue in found.mismatch.columns)


def test_an_error_without_rows_is_numpys_with_the_interval_of_a_paired_bootstrap():
    rng = np.random.default_rng(0)
    truth, left_out = rng.integers(0, 2, 2000), rng.random(2000) < 0.2
    wrong = rng.random(2000) < np.where(left_out, 0.02, 0.2)
    probability = np.eye(2)[np.where(wrong, 1 - truth, truth)]
    found = error_without(METRICS["error"], PartAnswers(truth, (probability,)), left_out, seed=0)
    assert found is not None
    assert (found.whole.value, found.without.value) == pytest.approx((wrong.mean(), wrong[~left_out].mean()))
    # of a mean, the change is the share left out times the difference of the two groups, which are independent
    share, (a, b) = left_out.mean(), (wrong[left_out], wrong[~left_out])
    deviation = share * np.sqrt(a.var() / len(a) + b.var() / len(b))
    assert found.change.value == pytest.approx(share * (b.mean() - a.mean()))
    assert found.change.high - found.change.low == pytest.approx(2 * 1.96 * deviation, rel=0.25)


def test_other_metrics_and_weights_are_weighed_too():
    rng = np.random.default_rng(1)
    truth, left_out, weight = rng.integers(0, 3, 600), np.arange(600) < 60, rng.uniform(0.5, 2, 600)
    probability = rng.dirichlet(np.ones(3), 600)
    found = error_without(METRICS["balanced_accuracy"], PartAnswers(truth, (probability,), weight=weight), left_out, seed=0)
    said, kept = probability.argmax(axis=1), ~left_out
    assert found is not None
    assert found.without.value == pytest.approx(1 - balanced_accuracy_score(truth[kept], said[kept], sample_weight=weight[kept]))
    assert found.change.low < found.change.value < found.change.high
    regression = error_without(
        METRICS["rmse"], PartAnswers(np.zeros(100), (np.where(np.arange(100) < 50, 3.0, 1.0),)), np.arange(100) < 50, seed=0
    )
    assert regression is not None and (regression.whole.value, regression.without.value) == pytest.approx((np.sqrt(5), 1.0))


@pytest.mark.parametrize("left_out", [np.zeros(100, bool), np.arange(100) < 90], ids=["none", "nearly all"])
def test_nothing_is_said_where_too_few_rows_go_or_stay(left_out):
    assert error_without(METRICS["error"], PartAnswers(np.zeros(100, int), (np.tile([1.0, 0.0], (100, 1)),)), left_out, seed=0) is None


def test_confused_pairs_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 800)
    said = np.where((truth == 3) & (rng.random(800) < 0.3), 2, np.where(rng.random(800) < 0.03, rng.integers(0, 4, 800), truth))
    probability = np.eye(4)[said] * rng.uniform(0.5, 0.95, (800, 1)) + 0.01
    probability /= probability.sum(axis=1, keepdims=True)
    found = measure_mistakes(probability, truth, ("a", "b", "c", "d"), lambda rows: [f"n{row}" for row in rows])
    table = confusion_matrix(truth, said)
    worst = found.pairs[0]
    assert (worst.first, worst.second, worst.first_as_second, worst.second_as_first) == ("d", "c", table[3, 2], table[2, 3])
    assert worst.rows == (table[3].sum(), table[2].sum()) and found.wrong == (said != truth).sum() and found.possible_pairs == 6
    assert worst.share.value == pytest.approx((table[2, 3] + table[3, 2]) / found.wrong)
    both = [pair.first_as_second + pair.second_as_first for pair in found.pairs]
    assert both == sorted(both, reverse=True)
    sure = probability.max(axis=1) >= 0.9
    assert (found.sure, found.sure_wrong) == (sure.sum(), (sure & (said != truth)).sum())
    chosen = [mistake.probability for mistake in found.mistakes]
    wrong = np.flatnonzero(sure & (said != truth))
    assert chosen == sorted(probability[wrong].max(axis=1).tolist(), reverse=True)[:10]
    assert all(
        mistake.name == f"n{mistake.row}" and mistake.of_truth == probability[mistake.row, truth[mistake.row]] for mistake in found.mistakes
    )


def test_decisions_without_probabilities_are_sure_of_nothing():
    found = measure_mistakes(np.eye(3)[[0, 1, 1]], np.array([0, 1, 2]), ("a", "b", "c"), lambda rows: [], has_probabilities=False)
    assert (found.wrong, found.sure, found.sure_rate, found.mistakes) == (1, 0, None, ())


def test_the_interval_of_a_share_is_wilsons():
    n, p, z = 200, 0.1, 1.959963984540054
    middle, half = (p + z**2 / (2 * n)) / (1 + z**2 / n), z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    wilson = partial(share_of, method="wilson")
    assert (wilson(20, n).low, wilson(20, n).high) == pytest.approx((middle - half, middle + half))
    assert wilson(20, n, 0.05 / 45).low < wilson(20, n).low


def test_a_flawless_model_has_no_mistakes():
    found = measure_mistakes(np.eye(2)[[0, 1] * 50], np.array([0, 1] * 50), ("a", "b"), lambda rows: [])
    assert (found.wrong, found.pairs, found.mistakes) == (0, (), ()) and found.sure_rate is not None and found.sure_rate.value == 0


def upright(rows, seed, side=20):
    """Soft upright strokes at all places and slants, like handwritten 1s among other digits: by nature near to each other."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[:side, :side]
    pictures = np.zeros((rows, side, side, 1))
    for picture in pictures:
        if rng.random() < 0.2:
            line = 10 + rng.normal(0, 0.7) + (down - 10) * rng.normal(0, 0.1)
            picture[..., 0] = 250 * np.exp(-(((across - line) / 1.3) ** 2)) * ((down > 3) & (down < 16))
        else:
            picture[4:16, 4:16, 0] = rng.random((4, 4)).repeat(3, 0).repeat(3, 1) * 250
    return np.clip(pictures + rng.normal(0, 0.5, pictures.shape), 0, 255).astype(np.uint8)


def test_simple_pictures_are_near_by_nature_and_copies_of_them_stand_out():
    train, dev = upright(1500, 0), upright(300, 1)
    copies = np.clip(train[:12].astype(int) + np.random.default_rng(2).integers(-1, 2, train[:12].shape), 0, 255).astype(np.uint8)
    alike = measure_picture_faults({"train": train, "dev": dev}, seed=0).repeated[0]
    found = measure_picture_faults({"train": train, "dev": np.concatenate([copies, dev])}, seed=0).repeated[0]
    assert alike.share.low <= alike.expected.high < 0.16  # by the usual distance alone a fifth would be near
    assert found.near == alike.near + 12
