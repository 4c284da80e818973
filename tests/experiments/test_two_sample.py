"""The two-sample test: its false-alarm rate, what it sees, and what it says."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from shoal.data import load
from shoal.errors import DataError
from shoal.experiments.column_codes import CodedColumn
from shoal.experiments.data_faults import measure_data_faults
from shoal.experiments.two_sample import compare_tables, differing_columns, level_test, reference_codes, two_sample

NUMBERS = (CodedColumn("a"), CodedColumn("b"))


def normal(rows, seed, shift=0.0):
    return np.random.default_rng(seed).normal(size=(rows, 2)) + np.array([0.0, shift])


def told(first, second, columns=NUMBERS, **changes):
    found = two_sample(first, second, columns, **{"seed": 0, **changes})
    assert found is not None
    return found


def test_two_samples_of_one_distribution_are_told_apart_as_often_as_the_significance_says():
    # Rounded, so that there are ties, and of unequal sizes.
    p_values = [told(normal(60, 2 * run).round(1), normal(80, 2 * run + 1).round(1), seed=run).p_value for run in range(300)]
    assert 0.03 <= np.mean(np.array(p_values) < 0.05) <= 0.07
    assert stats.kstest(p_values, "uniform").pvalue > 0.001


def test_the_area_is_near_the_best_possible_for_two_normal_distributions_a_standard_deviation_apart():
    found = told(normal(4000, 0), normal(4000, 1, shift=1.0))
    best = stats.norm.cdf(1 / np.sqrt(2))  # P(X2 > X1) for two normal variables, 0.760
    assert best - 0.05 < found.auc.value < best + 0.02
    assert found.auc.high - found.auc.low < 0.06
    assert found.p_value < 1e-50


def test_only_the_shifted_column_is_named():
    found = told(normal(500, 0), normal(300, 1, shift=1.0))
    assert [clue.name for clue in found.columns] == ["b"]
    assert found.rows == (500, 300)


def test_the_strength_of_a_column_is_the_kolmogorov_smirnov_distance():
    first, second = normal(500, 0), normal(300, 1, shift=1.0)
    (clue,) = told(first, second).columns
    assert clue.strength == pytest.approx(stats.ks_2samp(first[:, 1], second[:, 1])[0])


def test_a_shift_that_no_column_shows_alone_is_seen():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 1))
    alike = np.hstack([x, x + 0.3 * rng.normal(size=x.shape)])
    opposite = np.hstack([x, -x + 0.3 * rng.normal(size=x.shape)])
    found = told(alike, opposite)
    assert found.auc.low > 0.8
    assert found.columns == ()


def test_columns_are_described_by_what_differs():
    rng = np.random.default_rng(1)
    rows = 2000
    light = rng.normal(130, 5, rows), rng.normal(16, 5, rows)
    missing = rng.normal(size=rows), np.where(rng.random(rows) < 0.5, np.nan, rng.normal(size=rows))
    place = (rng.random(rows) < 0.8).astype(float), (rng.random(rows) < 0.02).astype(float)
    spread = rng.normal(0, 1, rows), rng.normal(0, 9, rows)
    columns = (CodedColumn("Light"), CodedColumn("CO2"), CodedColumn("place", ("coast", "inland")), CodedColumn("noise"))
    first, second = (np.stack([each[side] for each in (light, missing, place, spread)], axis=1) for side in (0, 1))
    texts = {clue.name: clue.text for clue in differing_columns(first, second, columns)}
    middle = [f"{np.median(side):.4g}" for side in light]
    assert texts["Light"] == f"Light is {middle[0]} in train and {middle[1]} in dev (medians)"
    assert texts["CO2"] == f"CO2 is missing in 0.0 % of train and {100 * np.isnan(missing[1]).mean():.1f} % of dev"
    shares = [f"{100 * np.mean(side == 1):.1f} %" for side in place]
    opposite = [f"{100 * np.mean(side == 0):.1f} %" for side in place]
    assert texts["place"] in (
        f"place is inland in {shares[0]} of train and {shares[1]} of dev",
        f"place is coast in {opposite[0]} of train and {opposite[1]} of dev",
    )
    assert texts["noise"].startswith("noise is at most ")


def test_the_distance_of_categories_is_total_variation_with_the_chi_square_test_of_scipy():
    first, second = np.repeat([0, 1, 2], [50, 30, 20]), np.repeat([0, 1, 2], [20, 40, 40])
    distance, p_value = level_test(first, second)
    assert distance == pytest.approx(0.3)
    assert p_value == pytest.approx(stats.chi2_contingency([[50, 30, 20], [20, 40, 40]])[1])


def test_rare_categories_are_pooled():
    first, second = np.arange(100), np.arange(100, 200)  # every value once: nothing can be said
    assert level_test(first, second) == (0.0, 1.0)


def test_many_columns_without_a_shift_are_not_named():
    rng = np.random.default_rng(3)
    named = [
        differing_columns(rng.normal(size=(200, 40)), rng.normal(size=(200, 40)), [CodedColumn(str(i)) for i in range(40)])
        for _ in range(40)
    ]
    assert sum(bool(each) for each in named) <= 2  # at 1 % without correction it would be a third of them


def test_too_few_rows_are_not_told():
    assert two_sample(normal(49, 0), normal(500, 1), NUMBERS, seed=0) is None


def table(rows, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "size": rng.normal(10 + shift, 1, rows),
            "colour": rng.choice(["red", "green", "blue"], rows),
            "when": [f"2024-0{month}-1{day}" for month, day in zip(rng.integers(1, 9, rows), rng.integers(0, 9, rows), strict=True)],
            "y": rng.normal(size=rows),
        }
    )


def test_a_new_table_is_compared_with_what_was_kept_of_the_training_rows():
    data = load(table(2000, 0), target="y")
    kept = reference_codes(data)
    assert kept.dtype == np.float32
    assert kept.shape == (1200, 3)
    same = compare_tables(kept, data.preparation, table(1500, 1).drop("y"))
    other = compare_tables(kept, data.preparation, table(1500, 2, shift=1.0).drop("y"))
    assert same is not None
    assert other is not None
    assert same.p_value > 0.01
    assert same.columns == ()
    assert other.p_value < 1e-20
    assert other.columns[0].text.startswith("size is 9.9") or other.columns[0].text.startswith("size is 10")
    assert (other.first, other.second) == ("training", "new")


def test_a_level_that_training_never_saw_is_a_difference():
    data = load(table(2000, 0), target="y")
    new = table(1500, 1).with_columns(pl.when(pl.col("colour") == "red").then(pl.lit("violet")).otherwise("colour").alias("colour"))
    found = compare_tables(reference_codes(data), data.preparation, new)
    assert found is not None
    assert [clue.name for clue in found.columns] == ["colour"]


def test_a_new_table_without_a_column_is_refused():
    data = load(table(500, 0), target="y")
    with pytest.raises(DataError, match="size"):
        compare_tables(reference_codes(data), data.preparation, table(500, 1).drop("size"))


def read(folder, name):
    return pl.read_csv(folder / f"{name}.csv.gz", null_values=["NA"], infer_schema_length=None)


SHIFTS = {
    "occupancy in another week": ("occupancy_train", "occupancy_test2", "Occupancy", ["Date"], None, "CO2"),
    "bicycles a year later": ("bike_hour", None, "cnt", ["dteday", "instant", "yr"], pl.col("yr") == 0, "hum"),
    "houses at the coast": (
        "california_housing",
        None,
        "median_house_value",
        ["ocean_proximity", "longitude", "latitude"],
        pl.col("ocean_proximity") == "INLAND",
        "median_income",
    ),
}


@pytest.mark.parametrize("name", SHIFTS)
def test_real_shifts_are_seen(real_data, name):
    file, other, target, drop, is_train, column = SHIFTS[name]
    frame = read(real_data, file)
    train, dev = (frame, read(real_data, other)) if other else (frame.filter(is_train), frame.filter(~is_train))
    found = measure_data_faults(load(train, target=target, dev=dev, drop=drop), seed=0).mismatch
    assert found is not None
    assert found.p_value < 1e-6
    assert found.auc.low > 0.6
    assert column in [clue.name for clue in found.columns]


def test_another_station_of_beijing_is_seen(real_data):
    frame = read(real_data, "beijing_air_12sites")
    train, dev = (frame.filter(pl.col("station") == name) for name in ("Dongsi", "Huairou"))
    found = measure_data_faults(load(train, target="PM2.5", dev=dev, drop=["station", "No"]), seed=0).mismatch
    assert found is not None
    assert found.auc.low > 0.85


def test_the_two_files_of_adult_are_not_told_apart(real_data):
    found = measure_data_faults(load(read(real_data, "adult_train"), target="income", dev=read(real_data, "adult_test")), seed=0)
    assert found.mismatch is not None
    assert found.target_shift is not None
    assert found.mismatch.p_value > 0.01
    assert found.mismatch.columns == ()
    assert found.target_shift.p_value > 0.001
