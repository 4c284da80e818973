"""Repeats, groups, leaks, row numbers, drift and noisy labels, each put into rows that are sound without it."""

import time

import msgspec
import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn.metrics import r2_score

from shoal.data import load
from shoal.experiments.data_faults import measure_data_faults, split_of, sure_error, target_shift
from shoal.experiments.groups import groups, intra_class_correlation
from shoal.experiments.leakage import derived, leaks, row_numbers
from shoal.experiments.repeats import exact_repeats, near_repeats
from shoal.measurements import DataFaults


def sound(rows=2000, seed=0, classes=False):
    """Three columns, of which two tell something about the target, and one of levels."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, rows))
    kind = rng.choice(["x", "y", "z"], rows)
    y = a + 0.5 * b + (kind == "x") + rng.normal(size=rows)
    return pl.DataFrame({"a": a, "b": b, "c": c, "kind": kind, "y": np.where(y > 0.3, "yes", "no") if classes else y})


def with_column(frame, name, values):
    return frame.with_columns(pl.Series(name, values))


@pytest.fixture(scope="module", params=[False, True], ids=["numbers", "classes"])
def healthy(request):
    return load(sound(classes=request.param), target="y")


def test_sound_rows_show_nothing(healthy):
    found = measure_data_faults(healthy, seed=0)
    assert found.split.startswith("shuffled")
    assert found.mismatch is None
    assert found.drift is not None
    assert found.drift.p_value > 0.01
    assert found.exact is not None
    assert found.near is not None
    assert found.exact.repeated == 0
    assert found.near.share.low <= found.near.expected.high
    assert found.groups == found.leaks == found.derived == found.ids == found.ordered == ()
    assert not found.sorted_by_target


def test_what_was_found_can_be_saved_and_read(healthy):
    found = measure_data_faults(healthy, seed=0)
    assert msgspec.json.decode(msgspec.json.encode(found), type=DataFaults) == found


def test_the_same_seed_finds_the_same(healthy):
    assert measure_data_faults(healthy, seed=3) == measure_data_faults(healthy, seed=3)


# Repeats


def copied(frame, copies, noise=0.0):
    """Train and dev tables of their own, the first dev rows copied into train."""
    dev, train = frame[:500], frame[500:]
    rng = np.random.default_rng(9)
    moved = dev[:copies].with_columns((pl.col(name) + noise * rng.normal(size=copies)).alias(name) for name in ("a", "b", "c"))
    return load(pl.concat([train, moved]), target="y", dev=dev, test_size=0, train_dev=False)


def test_dev_rows_copied_into_train_are_counted():
    found = exact_repeats(copied(sound(), 300))
    assert found is not None
    assert (found.rows, found.repeated, found.disagreeing, found.expected.value) == (500, 300, 0.0, 0.0)
    expected = stats.binomtest(300, 500).proportion_ci()
    assert (found.share.low, found.share.high) == pytest.approx((expected.low, expected.high))


def test_copies_with_another_target_are_said_to_disagree():
    frame = sound()
    dev, train = frame[:500], frame[500:]
    moved = dev[:100].with_columns(y=pl.when(pl.int_range(100) < 40).then(pl.col("y") + 5).otherwise("y"))
    found = exact_repeats(load(pl.concat([train, moved]), target="y", dev=dev, test_size=0, train_dev=False))
    assert found is not None
    assert (found.repeated, found.disagreeing) == (100, 0.4)


def test_rows_that_repeat_by_nature_are_as_many_as_expected():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"p": rng.integers(0, 9, 4000), "q": rng.integers(0, 99, 4000), "y": rng.normal(size=4000)})
    found = exact_repeats(load(frame, target="y"))
    assert found is not None
    # 900 places for 2,400 training rows: each is taken by another row with probability 1 - (1 - 1/900)^2400
    assert found.share.value == pytest.approx(1 - (1 - 1 / 900) ** 2400, abs=0.03)
    assert found.share.low < found.expected.value < found.share.high


def test_missing_values_and_texts_are_compared_as_they_are_read():
    frame = sound(200).with_columns(a=pl.when(pl.int_range(200) < 100).then(None).otherwise("a"))
    found = exact_repeats(load(frame, target="y", dev=frame[:60], test_size=0, train_dev=False))
    assert found is not None
    assert found.repeated == 60


def test_copies_with_a_little_noise_are_near_but_not_exact():
    data = copied(sound(), 300, noise=0.001)
    exact, near = exact_repeats(data), near_repeats(data, seed=0)
    assert exact is not None
    assert near is not None
    assert exact.repeated == 0
    assert near.repeated >= 290
    assert near.share.low > near.expected.high + 0.3


def test_rows_drawn_from_one_source_are_not_near():
    near = near_repeats(copied(sound(), 0), seed=0)
    assert near is not None
    assert near.share.low <= near.expected.high


# Leaks


def test_a_copy_of_the_target_is_a_leak(healthy):
    frame = sound(classes=healthy.task == "classification")
    truth = frame["y"].to_numpy() if healthy.task == "regression" else (frame["y"] == "yes").to_numpy().astype(float)
    rng = np.random.default_rng(1)
    for noise in (0.0, 0.05):
        copy = truth + noise * truth.std() * rng.normal(size=len(truth))
        (clue,) = leaks(load(with_column(frame, "copy", copy), target="y"), seed=0)
        assert clue.name == "copy"
        assert clue.strength > 0.98
        assert clue.others is not None
        assert clue.others < 0.6


def test_labels_copied_with_a_few_errors_are_a_leak():
    frame = sound(classes=True)
    flip = np.random.default_rng(2).random(frame.height) < 0.05
    copy = np.where(flip, "1", np.where((frame["y"] == "yes").to_numpy(), "2", "1"))
    assert [clue.name for clue in leaks(load(with_column(frame, "copy", copy), target="y"), seed=0)] == ["copy"]


def test_two_copies_do_not_hide_each_other():
    frame = sound()
    both = frame.with_columns(once=pl.col("y") * 2, twice=pl.col("y") + 1)
    assert [clue.name for clue in leaks(load(both, target="y"), seed=0)] == ["once", "twice"]


def test_a_heavy_tail_does_not_hide_a_copy():
    frame = sound().with_columns(y=(pl.col("y") * 3).exp())
    assert [clue.name for clue in leaks(load(frame.with_columns(copy=pl.col("y")), target="y"), seed=0)] == ["copy"]


def test_a_strong_but_honest_column_is_no_leak():
    frame = sound()
    strong = frame["y"].to_numpy() + 0.4 * np.random.default_rng(3).normal(size=frame.height)  # 14 % of the variance is left
    assert leaks(load(with_column(frame, "strong", strong), target="y"), seed=0) == ()


def test_a_single_perfect_column_among_perfect_others_is_no_leak():
    x = np.random.default_rng(0).normal(size=1000)
    frame = pl.DataFrame({"x": x, "y": np.sin(x)})
    assert leaks(load(frame, target="y"), seed=0) == ()


def test_parts_of_a_sum_are_found_and_the_other_columns_are_not_named():
    rng = np.random.default_rng(0)
    casual, registered = rng.poisson(30.0, 1500) * 1.0, rng.poisson(150.0, 1500) * 1.0
    frame = sound(1500).with_columns(pl.Series("casual", casual), pl.Series("registered", registered), pl.Series("y", casual + registered))
    (clue,) = derived(load(frame, target="y"), seed=0)
    assert clue.name == "casual + registered"
    assert clue.strength == pytest.approx(r2_score(frame["y"], casual + registered))


def test_a_product_is_found():
    rng = np.random.default_rng(0)
    price, pieces = rng.uniform(1, 50, 1000), rng.integers(1, 9, 1000)
    frame = sound(1000).with_columns(pl.Series("price", price), pl.Series("pieces", pieces), pl.Series("y", price * pieces))
    (clue,) = derived(load(frame, target="y"), seed=0)
    assert set(clue.name.split(" + ")) == {"price", "pieces"}


def test_a_nearly_exact_sum_is_left_alone():
    rng = np.random.default_rng(7)
    frame = sound(1500).with_columns(y=pl.col("a") + pl.col("b") + pl.Series(0.01 * rng.normal(size=1500)))
    assert derived(load(frame, target="y"), seed=0) == ()


# Row numbers


@pytest.mark.parametrize(
    ("numbers", "is_found"),
    [
        (1_000 + 7 * np.arange(1000), True),
        (90_000 - np.arange(1000) ** 2 // 50 - np.arange(1000), True),
        (np.random.default_rng(0).permutation(1000) + 5000, True),
        (np.random.default_rng(0).integers(0, 10**6, 1000), False),
        (np.sort(np.random.default_rng(0).normal(size=1000)), False),
        (np.arange(1000) // 2, False),
    ],
    ids=["rising", "falling", "shuffled", "drawn", "fractions", "pairs"],
)
def test_columns_that_number_the_rows(numbers, is_found):
    rng = np.random.default_rng(1)
    matrix = np.column_stack([numbers, rng.normal(size=(1000, 2))])
    found = row_numbers(load(matrix, y=rng.normal(size=1000)))
    assert [clue.name for clue in found] == ["x0"] * is_found


# Groups


def persons(effect, name="patient", rows=3000, per_person=10, seed=0):
    rng = np.random.default_rng(seed)
    person = rng.integers(0, rows // per_person, rows)
    frame = sound(rows, seed)
    own = effect * rng.normal(size=rows // per_person)[person]
    return frame.with_columns(pl.Series(name, [f"P{number:04}" for number in person]), y=pl.col("y") + pl.Series(own))


def test_persons_in_train_and_dev_are_found():
    (clue,) = groups(load(persons(1.5), target="y"), seed=0)
    assert clue.name == "patient"
    assert 0.4 < clue.strength < 0.75  # 1.5^2 / (1.5^2 + 1) = 0.69 of the variance but for what the model misses


def test_persons_known_by_their_constant_columns_are_found():
    frame = persons(1.5, per_person=40)
    age = pl.Series("age", np.random.default_rng(5).normal(size=75)[frame["patient"].str.slice(1).cast(pl.Int64).to_numpy()])
    (clue,) = groups(load(frame.with_columns(age), target="y"), seed=0)
    assert clue.strength > 0.4  # a model that had seen rows of the same persons would know them by their age


@pytest.mark.parametrize(
    "options",
    [
        {"effect": 0.0},
        {"effect": 1.5, "name": "size"},
        {"effect": 1.5, "per_person": 300},
    ],
    ids=["persons that do not matter", "not called so", "few large groups"],
)
def test_other_columns_are_no_groups(options):
    assert groups(load(persons(**options), target="y"), seed=0) == ()


def test_groups_that_were_kept_apart_are_no_finding():
    assert groups(load(persons(1.5), target="y", group="patient"), seed=0) == ()


def test_the_intra_class_correlation_is_that_of_simulated_variances():
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(500), 8)
    values = rng.normal(size=500)[ids] + 2 * rng.normal(size=4000)
    found = intra_class_correlation(values, ids)
    assert found.low < 1 / 5 < found.high
    table = values.reshape(500, 8)  # balanced groups: mean squares by hand
    between, within = 8 * table.mean(axis=1).var(ddof=1), table.var(axis=1, ddof=1).mean()
    assert found.value == pytest.approx((between - within) / (between + 7 * within))


def test_the_interval_of_the_intra_class_correlation_covers():
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(40), 5)
    spans = [intra_class_correlation(rng.normal(size=40)[ids] * 0.5 + rng.normal(size=200), ids) for _ in range(400)]
    assert 0.92 < np.mean([span.low < 0.2 < span.high for span in spans]) < 0.98


# Order and target


def test_drift_and_the_column_that_follows_the_order():
    frame = sound()
    clock = np.arange(2000) + np.random.default_rng(0).normal(size=2000)
    moved = frame.with_columns(pl.Series("clock", clock), a=pl.col("a") + pl.Series(np.linspace(0, 2, 2000)))
    found = measure_data_faults(load(moved, target="y"), seed=0)
    assert found.ordered == ("clock",)
    assert found.drift is not None
    assert found.drift.auc.low > 0.65
    assert [clue.name for clue in found.drift.columns] == ["a"]


def test_rows_sorted_by_the_target(healthy):
    frame = sound(classes=healthy.task == "classification").sort("y")
    assert measure_data_faults(load(frame, target="y"), seed=0).sorted_by_target


def test_sorted_rows_that_were_cut_have_another_target_in_dev(healthy):
    frame = sound(classes=healthy.task == "classification").sort("y")
    found = target_shift(load(frame[:1500], target="y", dev=frame[1300:], test_size=0))
    assert found is not None
    assert found.p_value < 1e-10
    assert found.size > 0.3


def test_the_shift_of_a_number_is_the_kolmogorov_smirnov_distance():
    frame, other = sound(), sound(1000, seed=1).with_columns(y=pl.col("y") + 0.5)
    data = load(frame, target="y", dev=other, test_size=0)
    found = target_shift(data)
    assert found is not None
    statistic, p_value = stats.ks_2samp(data.truth["train"], data.truth["dev"])
    assert (found.size, found.p_value) == pytest.approx((statistic, p_value), rel=0.05)


def test_labels_are_compared_one_by_one():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.normal(size=900), "p": rng.integers(0, 2, 900), "q": rng.integers(0, 2, 900)})
    other = frame.with_columns(q=pl.Series((rng.random(900) < 0.9).astype(int)))
    found = target_shift(load(frame, target=["p", "q"], dev=other, test_size=0))
    assert found is not None
    assert found.p_value < 1e-10
    assert "'q'" in found.text


def test_the_kind_of_split_is_named():
    frame = persons(0.0)
    assert split_of(load(frame, target="y")) == "shuffled"
    assert split_of(load(frame, target="y", group="patient")).startswith("by group")
    assert split_of(load(frame, target="y", time="a")).startswith("by time")
    assert split_of(load(frame[:2000], target="y", dev=frame[2000:])) == "separate tables"


def test_the_column_of_a_split_by_time_does_not_give_dev_away():
    days = pl.date_range(pl.date(2015, 1, 1), pl.date(2030, 1, 1), eager=True)[:2000]
    data = load(with_column(sound(), "day", days), target="y", time="day")
    assert any(name.startswith("day ") for name in data.preparation.input_names)
    found = measure_data_faults(data, seed=0)
    assert found.mismatch is not None
    assert found.mismatch.p_value > 0.001
    assert found.mismatch.columns == ()


# Noisy labels


def test_the_error_of_the_surest_rows_is_counted_by_hand():
    surest = np.linspace(0.5, 1.0, 100)
    probability, truth = np.stack([surest, 1 - surest], axis=1), np.zeros(100, int)
    truth[[95, 98, 3]] = 1
    found = sure_error(probability, truth)
    expected = stats.binomtest(2, 10).proportion_ci()
    assert (found.value, found.low, found.high) == pytest.approx((0.2, expected.low, expected.high))


def test_rows_as_sure_as_the_last_count_too():
    assert sure_error(np.tile([0.9, 0.1], (100, 1)), np.repeat([0, 1], [75, 25])).value == 0.25


def test_weights_count_in_the_error_of_the_surest_rows():
    probability, truth = np.tile([0.9, 0.1], (100, 1)), np.repeat([0, 1], 50)
    found = sure_error(probability, truth, np.repeat([3.0, 1.0], 50))
    assert found.value == pytest.approx(0.25)
    assert found.high - found.low > sure_error(probability, np.repeat([0, 1], [75, 25])).high - 0.25


# Cost


def test_many_rows_do_not_take_long():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({f"x{index}": rng.normal(size=300_000) for index in range(20)}).with_columns(
        pl.Series("y", rng.normal(size=300_000))
    )
    data = load(frame, target="y")
    measure_data_faults(data, seed=0, seconds=0.5)
    begun = time.process_time()
    measure_data_faults(data, seed=0)
    assert time.process_time() - begun < 20  # about 2 s on an idle core


def test_columns_of_extreme_numbers_do_no_harm():
    rng = np.random.default_rng(0)
    huge = rng.normal(size=600) * 1e300
    data = load(np.column_stack([huge, rng.normal(size=600)]), y=rng.normal(size=600))
    assert measure_data_faults(data, seed=0).leaks == ()


def test_real_tables_show_no_repeats_groups_leaks_or_row_numbers(real_data):
    for file, target in (("abalone", "rings"), ("telco_churn", "Churn"), ("letter", "class"), ("kc_house", "price"), ("mushroom", "class")):
        frame = pl.read_csv(real_data / f"{file}.csv.gz", null_values=["NA"], infer_schema_length=None).sample(4000, seed=0)
        found = measure_data_faults(load(frame, target=target), seed=0)
        assert found.groups == found.leaks == found.derived == found.ids == ()
        assert found.exact is not None
        assert found.exact.share.low <= found.exact.expected.high
