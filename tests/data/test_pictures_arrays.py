"""Arrays, NPZ and IDX files: dimensions, ranges, channels, labels, parts; and what is wrong with those that cannot be used."""

import gzip
import struct
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from shoal.data import Preparation, fingerprint, load, read_table
from shoal.data.encode import Encoder
from shoal.data.pictures.column import pixels_of, row_hashes
from shoal.data.pictures.encoder import PictureEncoder
from shoal.data.pictures.reading import Wanted
from shoal.data.pictures.resize import as_shape
from shoal.data.pictures.stored import BLOCK, Stored
from shoal.data.read import read_source
from shoal.errors import DataError, OptionError, RunFolderError

RANDOM = np.random.default_rng(1)
X = RANDOM.integers(0, 256, (60, 8, 6), dtype=np.uint8)
Y = np.arange(60) % 3


def pixels(frame: pl.DataFrame) -> np.ndarray:
    return frame["picture"].to_numpy()


def written(folder: Path, **arrays) -> Path:
    np.savez_compressed(folder / "set.npz", **arrays)
    return folder / "set.npz"


def idx(path: Path, numbers: np.ndarray, kind: int = 8) -> Path:
    content = bytes([0, 0, kind, numbers.ndim]) + struct.pack(f">{numbers.ndim}I", *numbers.shape) + numbers.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


# arrays


@pytest.mark.parametrize("array", [X, X[..., None], np.repeat(X[..., None], 3, axis=3)], ids=["grey", "one channel", "three channels"])
def test_bytes_stay_as_they_are(array):
    frame = read_table(array)
    channels = array.shape[3] if array.ndim == 4 else 1
    assert frame.schema == {"picture": pl.Array(pl.UInt8, (8, 6, channels))}
    np.testing.assert_array_equal(pixels(frame), array.reshape(60, 8, 6, channels))
    data = load(array, y=Y)
    assert data.inputs["train"].shape == (data.split.rows["train"], 48 * channels) and data.inputs["train"].dtype == np.uint8


def test_reading_bytes_copies_nothing():
    assert np.shares_memory(pixels(read_table(X)), X)
    data = load(X, y=Y)
    assert np.shares_memory(data.preparation.transform(X), X)


SCALES = [
    ("float from 0 to 1", X / 255.0, X),
    ("float from -1 to 1", X / 127.5 - 1, X),
    ("float from 0 to 255", X.astype(np.float32), X),
    ("half precision", (X > 99).astype(np.float16), (X > 99) * 255),
    ("truth values", X > 99, (X > 99) * 255),
    ("whole numbers", X.astype(np.int64), X),
    ("16 bits", X.astype(np.uint16) * 257, X),
    ("from 0 to 2000", np.linspace(0, 2000, X.size).round().astype(np.uint16).reshape(X.shape), None),
]


@pytest.mark.parametrize(("name", "array", "expected"), SCALES, ids=[row[0] for row in SCALES])
def test_other_numbers_are_brought_to_0_to_255_by_a_stated_rule(name, array, expected):
    array = array.copy()
    if name == "16 bits":
        array[0, 0, 0], expected = 65535, np.where(np.arange(X.size).reshape(X.shape) == 0, 255, X)
    if name == "from 0 to 2000":
        expected = np.rint(array * (255 / 2000))
    np.testing.assert_array_equal(pixels(read_table(array))[..., 0], expected)
    notes = load(array, y=Y).notes
    assert any("pixels of type" in note for note in notes) == (name not in ("float from 0 to 255", "whole numbers")), notes


def test_channels_before_the_height_are_moved():
    moved = np.moveaxis(np.repeat(X[..., None], 3, axis=3), 3, 1)
    np.testing.assert_array_equal(pixels(read_table(moved)), np.repeat(X[..., None], 3, axis=3))
    assert any("channels stood before" in note for note in load(moved, y=Y).notes)


@pytest.mark.parametrize("channels", [2, 4])
def test_a_last_channel_of_alpha_is_laid_over_white(channels):
    array = RANDOM.integers(0, 256, (60, 8, 6, channels), dtype=np.uint8)
    alpha = array[..., -1:] / 255
    found = pixels(read_table(array))
    assert found.shape[3] == channels - 1
    np.testing.assert_allclose(found, array[..., :-1] * alpha + 255 * (1 - alpha), atol=0.51)


def test_large_arrays_are_shrunk_and_the_same_rule_holds_for_new_ones():
    large = RANDOM.integers(0, 256, (30, 128, 96, 3), dtype=np.uint8)
    data = load(large, y=Y[:30])
    assert data.picture is not None and data.picture.shape == (64, 48, 3)
    assert any("30 pictures of 128 x 96 resized to 64 x 48" in note for note in data.notes)
    expected = large.reshape(30, 64, 2, 48, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(pixels(read_table(large)), expected, atol=1)
    inputs = data.preparation.transform(large[:2])
    np.testing.assert_array_equal(inputs, pixels(read_table(large[:2])).reshape(2, -1))
    assert data.preparation.transform(X).shape == (60, 64 * 48 * 3)


def test_grey_of_colours_is_that_of_pillow():
    colour = RANDOM.integers(0, 256, (20, 8, 6, 3), dtype=np.uint8)
    data = load(X, y=Y)
    expected = [np.asarray(Image.fromarray(each).convert("L")).ravel() for each in colour]
    np.testing.assert_array_equal(data.preparation.transform(colour), expected)
    np.testing.assert_array_equal(load(colour, y=Y[:20]).preparation.transform(X)[:, ::3], X.reshape(60, -1))


def test_a_regression_on_pictures_has_a_number_as_target():
    data = load(X, y=X.mean(axis=(1, 2)))
    assert data.task == "regression" and data.picture is not None


def test_dev_and_test_arrays_are_parts():
    data = load(X, y=Y, dev=(X[:20], Y[:20]), test=(X[20:30], Y[20:30]), train_dev=False)
    assert data.split.rows == {"train": 60, "dev": 20, "test": 10}
    np.testing.assert_array_equal(data.inputs["test"], X[20:30].reshape(10, -1))


def test_rows_can_be_split_by_a_group_beside_the_pictures():
    frame = read_table(X).with_columns(label=pl.Series([f"c{each}" for each in Y]), patient=pl.Series(np.arange(60) // 6))
    data = load(frame, group="patient")
    groups = {part: set((np.arange(60) // 6)[rows]) for part, (_, rows) in data.division.places.items()}
    assert not groups["train"] & groups["dev"] and data.preparation.columns == ("picture",)


BAD_ARRAYS = [
    (np.zeros((60, 3, 9)), "at least 4 x 4 pixels"),
    (np.zeros((60, 8, 8, 7)), "1 to 4 channels"),
    (np.zeros((60, 8, 8), complex), "Complex data not supported"),
    (np.full((60, 8, 8), "a"), "are numbers"),
    (np.full((60, 8, 8), np.nan), "infinite or missing"),
    (np.linspace(-300, 300, 60 * 64).reshape(60, 8, 8), "from -300 to 300"),
    (np.full((60, 8, 8), -1, np.int32), "from -1 to -1"),
    (np.zeros((0, 8, 8)), "the array has pictures; received an array without rows"),
]


@pytest.mark.parametrize(("array", "message"), BAD_ARRAYS, ids=[row[1] for row in BAD_ARRAYS])
def test_arrays_that_are_no_pictures_say_why(array, message):
    with pytest.raises(DataError, match=message):
        load(array, y=Y[: len(array)])


def test_a_size_that_cannot_be_asked_for_is_an_option_error():
    for size in [(2, 8), (8, 5000), (8,)]:
        with pytest.raises(OptionError, match="the size of pictures is a height and a width"):
            load(X, y=Y, picture_size=size)  # pyright: ignore


# NPZ and NPY


@pytest.mark.parametrize(
    ("x", "y"), [("x", "y"), ("X", "Y"), ("images", "labels"), ("data", "target"), ("x_train", "y_train"), ("other", "y")]
)
def test_pictures_and_labels_are_found_by_name(tmp_path, x, y):
    data = load(written(tmp_path, **{x: X, y: Y}))
    assert data.classes == ("0", "1", "2") and data.target == "label" and data.task == "classification"
    assert sum(data.split.rows.values()) == 60


def test_labels_may_be_a_column_one_hot_or_have_names(tmp_path):
    expected = [f"{each}" for each in Y]
    for labels in (Y[:, None], np.eye(3, dtype=np.uint8)[Y], Y.astype(np.float64)):
        assert read_table(written(tmp_path, x=X, y=labels))["label"].to_list() == expected
    named = read_table(written(tmp_path, x=X, y=Y, classes=np.array(["cat", "dog", "emu"])))
    assert named["label"].head(4).to_list() == ["cat", "dog", "emu", "cat"]
    assert read_table(written(tmp_path, x=X, y=np.array(["a", "b", "c"])[Y]))["label"][1] == "b"


def test_a_hundred_numbered_classes_are_classes(tmp_path):
    x = RANDOM.integers(0, 256, (600, 4, 4), dtype=np.uint8)
    data = load(written(tmp_path, x=x, y=np.arange(600) % 100))
    assert data.task == "classification" and len(data.classes) == 100
    assert load(tmp_path / "set.npz", task="regression").task == "regression"


def test_fractions_are_a_quantity(tmp_path):
    assert load(written(tmp_path, x=X, y=np.linspace(0, 1, 60))).task == "regression"


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("x_train", "y_train", "x_test", "y_test"), {"test": 20}),
        (("X_train", "Y_train", "X_val", "Y_val"), {"dev": 20}),
        (("train_images", "train_labels", "val_images", "val_labels"), {"dev": 20}),
    ],
)
def test_arrays_of_parts_are_those_parts(tmp_path, names, parts):
    path = written(tmp_path, **dict(zip(names, (X, Y, X[:20], Y[:20]), strict=True)))
    data = load(path, train_dev=False, test_size=None if "test" in parts else 0)
    assert {part: data.split.rows[part] for part in parts} == parts
    np.testing.assert_array_equal(data.inputs[next(iter(parts))], X[:20].reshape(20, -1))
    assert read_table(path).height == 80


def test_parts_share_one_scale(tmp_path):
    train, test = np.full((20, 8, 8), 1000, np.uint16), np.full((20, 8, 8), 500, np.uint16)
    train[0, 0, 0] = 2000
    frame = read_table(written(tmp_path, x_train=train, y_train=Y[:20], x_test=test, y_test=Y[:20]))
    assert pixels(frame)[19, 0, 0] == 128 and pixels(frame)[20, 0, 0] == 64


def test_a_number_of_training_rows_leaves_the_others_to_test(tmp_path):
    data = load(written(tmp_path, x=X, y=Y, n_train=np.int64(45)))
    assert data.split.rows["test"] == 15 and data.split.rows["train"] + data.split.rows["dev"] == 45
    np.testing.assert_array_equal(data.inputs["test"], X[45:].reshape(15, -1))


def test_encoded_pictures_one_behind_the_other_are_decoded(tmp_path):
    colour = RANDOM.integers(0, 256, (30, 16, 16, 3), dtype=np.uint8)
    pieces = []
    for each in colour:
        Image.fromarray(each).save(tmp_path / "one.jpg")
        pieces.append((tmp_path / "one.jpg").read_bytes())
    offset = np.cumsum([0, *map(len, pieces)])
    stored = {"jpeg": np.frombuffer(b"".join(pieces), np.uint8), "offset": offset, "y": Y[:30], "classes": np.array(["a", "b", "c"])}
    frame = read_table(written(tmp_path, **stored))
    np.testing.assert_array_equal(pixels(frame)[-1], np.asarray(Image.open(tmp_path / "one.jpg")))
    assert frame["label"].head(3).to_list() == ["a", "b", "c"]
    broken = stored["jpeg"].copy()
    broken[offset[4] : offset[5]] = 0
    data = load(written(tmp_path, **{**stored, "jpeg": broken}))
    assert sum(data.split.rows.values()) == 29 and any("1 picture that cannot be read left out: picture 4" in note for note in data.notes)
    for wrong in ({"offset": offset[::-1]}, {"offset": offset + 9}, {"y": Y[:29]}, {"jpeg": stored["jpeg"].astype(np.int16)}):
        with pytest.raises(DataError):
            load(written(tmp_path, **{**stored, **wrong}))


def test_an_array_in_a_file_of_its_own_is_for_predicting(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.testing.assert_array_equal(pixels(read_table(tmp_path / "x.npy"))[..., 0], X)
    assert load(tmp_path / "x.npy", y=Y).picture is not None
    np.save(tmp_path / "table.npy", np.zeros((3, 2)))
    assert read_table(tmp_path / "table.npy").columns == ["x0", "x1"]


BAD_NPZ = [
    ({"x": X, "y": Y[:9]}, "60 pictures and 9 labels"),
    ({"x": X}, "holds labels under the name y"),
    ({"x": X.reshape(60, -1), "y": Y}, "holds pictures"),
    ({"x": X, "y": np.zeros((60, 2))}, "one value per row"),
    ({"a": X, "b": X, "y": Y}, "under the name x"),
    ({"x": np.array([None] * 4).reshape(1, 2, 2), "y": Y[:1]}, "not pickled|no arrays|holds pictures"),
    ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y[:5]}, "test part of set.npz has one label per picture"),
    ({"x_train": X, "y_train": Y, "x_test": X[:, :4], "y_test": Y}, "have one size"),
    ({"x": X, "y": np.zeros(60)}, "at least two classes|one class only"),
]


@pytest.mark.parametrize(("arrays", "message"), BAD_NPZ, ids=[row[1][:30] for row in BAD_NPZ])
def test_arrays_that_do_not_go_together_say_why(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message):
        load(written(tmp_path, **arrays))


def test_a_pickle_is_never_read(tmp_path):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "executed",)

    np.savez(tmp_path / "set.npz", x=X, y=np.array([Bomb()] * 60, dtype=object))
    np.save(tmp_path / "x.npy", np.array([Bomb()], dtype=object))
    for name in ("set.npz", "x.npy"):
        with pytest.raises(DataError):
            load(tmp_path / name, y=None)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_file_that_was_cut_short_is_an_error(tmp_path, share):
    whole = written(tmp_path, x=X, y=Y).read_bytes()
    (tmp_path / "set.npz").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match="whole file of NumPy arrays"):
        load(tmp_path / "set.npz")


def test_a_changed_byte_of_a_compressed_array_is_noticed(tmp_path):
    content = bytearray(written(tmp_path, x=X, y=Y).read_bytes())
    content[len(content) // 3] ^= 255
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(DataError, match="whole file of NumPy arrays"):
        load(tmp_path / "set.npz")


LARGE = np.random.default_rng(4).integers(0, 256, (40, 32, 24, 3), dtype=np.uint8)
CLASSES = np.arange(40) % 2


def available(monkeypatch, count: float) -> None:
    monkeypatch.setattr("shoal.data.pictures.fitting.available_bytes", lambda: count)
    monkeypatch.setattr("shoal.data.pictures.fitting.free_disk_bytes", lambda: 0)


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_an_array_larger_than_memory_is_read_in_the_largest_size_that_fits(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"set.{suffix}"
    if suffix == "npz":
        np.savez(path, x=LARGE, y=CLASSES)
    else:
        np.save(path, LARGE)
    available(monkeypatch, 3 * 40 * 16 * 12 * 3 / 0.8)
    reading = read_source(path, Wanted("predict"))
    assert reading.frame["picture"].dtype.shape == (16, 12, 3)  # type: ignore[attr-defined]
    assert reading.notes == (
        "40 pictures of 32 x 24 resized to 16 x 12 (scaled to cover it, cropped at the centre)",
        "16 x 12 pixels instead of 32 x 24, so that all pictures fit into memory or onto the disk",
    )
    expected = as_shape(LARGE, (16, 12, 3))
    np.testing.assert_array_equal(pixels_of(reading.frame["picture"]), expected)
    with pytest.raises(DataError, match=r"40 of 32 x 24 need .* Give fewer pictures, ask for a smaller size"):
        read_source(path, Wanted("predict", size=(32, 24)))
    available(monkeypatch, 500)
    with pytest.raises(DataError, match="fit into memory"):
        read_source(path, Wanted("predict"))


def test_numbers_that_take_eight_times_the_memory_of_their_bytes_need_no_more_than_these(tmp_path, monkeypatch):
    np.savez(tmp_path / "set.npz", x=LARGE / 255.0, y=CLASSES)
    available(monkeypatch, 3 * LARGE.nbytes / 0.8 + 1)
    reading = read_source(tmp_path / "set.npz", Wanted("train"))
    np.testing.assert_array_equal(pixels_of(reading.frame["picture"]), LARGE)


@pytest.mark.parametrize("kind", ["bytes", "floats", "channels first", "columns first", "transparent", "larger"])
@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_an_array_read_in_many_blocks_is_the_array_read_at_once(tmp_path, monkeypatch, kind, suffix):
    x = {
        "bytes": LARGE,
        "floats": LARGE / 127.5 - 1,
        "channels first": np.moveaxis(LARGE, 3, 1),
        "columns first": np.asfortranarray(LARGE),
        "transparent": np.concatenate([LARGE, LARGE[..., :1]], 3),
        "larger": np.repeat(LARGE, 4, axis=1),
    }[kind]
    np.savez_compressed(tmp_path / "set.npz", x=x)
    np.save(tmp_path / "set.npy", x)
    whole = read_source(x, Wanted())
    monkeypatch.setattr("shoal.data.pictures.stored.BLOCK", 7 * x[0].nbytes)  # 40 rows: five blocks of 7, and one of 5
    streamed = read_source(tmp_path / f"set.{suffix}", Wanted())
    assert streamed.notes == whole.notes
    np.testing.assert_array_equal(pixels_of(streamed.frame["picture"]), pixels_of(whole.frame["picture"]))


def test_what_is_wrong_with_the_pictures_of_a_whole_file_is_not_taken_for_a_fault_of_the_file(tmp_path):
    with pytest.raises(DataError, match=r"^the pictures of set\.npz have one size"):
        load(written(tmp_path, x_train=X, y_train=Y, x_test=X[:, :7], y_test=Y))
    with pytest.raises(DataError, match=r"^the pictures of set\.npz are finite numbers"):
        load(written(tmp_path, x=X - 300.0, y=Y))


def test_the_bytes_of_a_block_are_bounded():
    blocks = list(Stored.of(np.zeros((5, 2**24), np.float32)).blocks())
    assert [len(block) for block in blocks] == [1] * 5 and blocks[0].nbytes == BLOCK


def test_labels_that_do_not_fit_into_memory_are_refused_before_they_are_read(tmp_path, monkeypatch):
    np.savez(tmp_path / "set.npz", x=LARGE, y=np.zeros(40, "U4000"))
    available(monkeypatch, 500_000)
    with pytest.raises(DataError, match=r"the array in set\.npz fits into memory"):
        read_source(tmp_path / "set.npz", Wanted("train"))


# IDX


def mnist(folder: Path, suffix: str = "") -> Path:
    idx(folder / f"train-images-idx3-ubyte{suffix}", X)
    idx(folder / f"train-labels-idx1-ubyte{suffix}", Y.astype(np.uint8))
    idx(folder / f"t10k-images-idx3-ubyte{suffix}", X[:10])
    idx(folder / f"t10k-labels-idx1-ubyte{suffix}", Y[:10].astype(np.uint8))
    return folder / f"train-images-idx3-ubyte{suffix}"


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_labels_are_found_beside_the_pictures_and_another_part_is_not_taken_unasked(tmp_path, suffix):
    path = mnist(tmp_path, suffix)
    frame = read_table(path)
    np.testing.assert_array_equal(pixels(frame)[..., 0], X)
    assert frame["label"].to_list() == [str(each) for each in Y]
    assert sum(load(path).split.rows.values()) == 60
    data = load(path, test=tmp_path / f"t10k-images-idx3-ubyte{suffix}")
    assert data.split.rows["test"] == 10 and data.classes == ("0", "1", "2")


def test_a_folder_of_idx_files_has_their_parts(tmp_path):
    mnist(tmp_path, ".gz")
    data = load(tmp_path)
    assert data.split.rows["test"] == 10 and data.split.rows["train"] + data.split.rows["dev"] == 60
    np.testing.assert_array_equal(data.inputs["test"], X[:10].reshape(10, -1))


def test_wider_numbers_are_big_endian(tmp_path):
    idx(tmp_path / "a-images-idx3-ubyte", (X.astype(np.uint16) * 8).astype(">i2"), 0x0B)
    expected = np.rint(X * (255 / X.max()))
    np.testing.assert_array_equal(pixels(read_table(tmp_path / "a-images-idx3-ubyte"))[..., 0], expected)


def test_idx_files_that_cannot_be_used_say_why(tmp_path):
    path = mnist(tmp_path)
    content = path.read_bytes()
    for changed, message in [
        (content[:-1], "2,895 bytes, where its header says 2,896"),
        (content + b"1", "header says"),
        (content[:9], "no whole header"),
        (b"", "an empty file"),
        (b"\1" + content[1:], "magic number of an IDX file; received the bytes 01 00 08 03"),
        (content[:2] + b"\x77" + content[3:], "magic number"),
        (content[:3] + b"\2" + content[4:], "3 dimensions, its pictures, by its magic number; received 2"),
    ]:
        path.write_bytes(changed)
        with pytest.raises(DataError, match=message):
            load(path)
    path.write_bytes(content)
    with pytest.raises(DataError, match="Name the file of pictures"):
        load(tmp_path / "train-labels-idx1-ubyte")
    idx(tmp_path / "train-labels-idx1-ubyte", Y[:7].astype(np.uint8))
    with pytest.raises(DataError, match="60 pictures and 7 labels"):
        load(path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="Put train-labels-idx1-ubyte beside train-images-idx3-ubyte"):
        load(path)
    assert read_table(path).columns == ["picture"]


def test_a_broken_gzip_is_an_error(tmp_path):
    path = mnist(tmp_path, ".gz")
    content = path.read_bytes()
    for changed, message in [
        (content[:-20], "whole IDX file"),
        (gzip.compress(gzip.decompress(content)[:-1]), "whole IDX file; received it ends after 59 of 60 rows"),
        (gzip.compress(gzip.decompress(content) + b"1"), "whole IDX file; received it goes on after its 60 rows"),
        (content[:300] + b"\0" * 99 + content[399:], "can be read"),
        (content[:-8] + b"\0" * 8, "can be read; received CRC check failed"),
    ]:
        path.write_bytes(changed)
        with pytest.raises(DataError, match=message):
            load(path)


# what is kept


def test_the_fingerprint_is_that_of_the_bytes():
    changed = X.copy()
    changed[59, 7, 5] ^= 1
    same = pl.concat([read_table(X[:30]), read_table(X[30:])])
    assert fingerprint(read_table(X)) == fingerprint(same) != fingerprint(read_table(changed))
    assert fingerprint(read_table(X)) != fingerprint(read_table(X.reshape(60, 6, 8)))


def test_a_preparation_of_pictures_survives_being_saved():
    preparation = load(X, y=Y).preparation
    again = Preparation.from_dict(preparation.to_dict())
    assert again == preparation and again.picture == preparation.picture and again.columns == ("picture",)
    np.testing.assert_array_equal(again.transform(X), X.reshape(60, -1))


@pytest.mark.parametrize(
    "changes", [{"deviations": [0.0]}, {"means": [1.0, 2.0]}, {"channels": 2}, {"height": 0}, {"means": [float("inf")]}], ids=str
)
def test_a_changed_encoder_is_noticed(changes):
    content = load(X, y=Y).preparation.to_dict()
    content["encoders"] = [{**content["encoders"][0], **changes}]
    with pytest.raises(RunFolderError, match="as shoal wrote it"):
        Preparation.from_dict(content)


def test_a_channel_without_spread_is_divided_by_one_grey_level():
    encoder: Encoder = PictureEncoder.fit(read_table(np.full((5, 4, 4), 7, np.uint8))["picture"])
    assert isinstance(encoder, PictureEncoder) and encoder.means == (7.0,) and encoder.deviations == (1.0,)


def test_equal_pictures_share_a_hash_and_a_single_bit_changes_it():
    pictures = np.zeros((1 + 8 * 60, 60), np.uint8)
    for bit in range(8 * 60):
        pictures[1 + bit, bit // 8] = 1 << (bit % 8)
    hashes = row_hashes(pictures)
    assert len(np.unique(hashes)) == len(hashes)
    np.testing.assert_array_equal(row_hashes(X), row_hashes(X.copy()))


def test_missing_pictures_in_a_frame_are_an_error():
    frame = read_table(X).with_columns(label=pl.Series([f"c{each}" for each in Y]))
    frame = frame.with_columns(picture=pl.when(pl.int_range(60) > 2).then("picture"))
    with pytest.raises(DataError, match="every row has a picture; received 3 cells without one"):
        load(frame)
