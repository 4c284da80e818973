"""Folders, tables of paths and encoded pictures: what becomes of every kind of file."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from shoal.data import load, read_table
from shoal.data.pictures.decode import decode
from shoal.data.pictures.reading import Wanted
from shoal.errors import DataError, OptionError, PicturesLeftOut
from shoal.progress import Event

RANDOM = np.random.default_rng(0)


def grey(height: int = 8, width: int = 8) -> np.ndarray:
    return RANDOM.integers(0, 256, (height, width), dtype=np.uint8)


def colour(height: int = 8, width: int = 8) -> np.ndarray:
    return RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(folder: Path, name: str, pixels: np.ndarray, **options) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def class_folders(folder: Path, count: int = 10, make=grey, classes: tuple[str, ...] = ("cat", "dog")) -> None:
    for name in classes:
        for number in range(count):
            save(folder, f"{name}/{number}.png", make())


def pictures(frame: pl.DataFrame) -> np.ndarray:
    return frame["picture"].to_numpy()


def one(path: Path, **wanted) -> np.ndarray:
    return decode([path], lambda row: path.name, Wanted(**wanted), "one").pixels[0]


def test_a_folder_is_a_table_of_pictures_labels_and_paths(tmp_path):
    first, second = grey(), grey()
    save(tmp_path, "dog/b.png", second)
    save(tmp_path, "cat/a.PNG", first)
    frame = read_table(tmp_path)
    assert frame.schema == {"picture": pl.Array(pl.UInt8, (8, 8, 1)), "label": pl.String, "path": pl.String}
    assert frame["label"].to_list() == ["cat", "dog"] and frame["path"].to_list() == ["cat/a.PNG", "dog/b.png"]
    np.testing.assert_array_equal(pictures(frame)[..., 0], [first, second])


def test_the_inputs_are_the_bytes_of_the_pictures_in_every_part(tmp_path):
    class_folders(tmp_path, 20)
    data = load(tmp_path)
    frame = read_table(tmp_path)
    assert data.task == "classification" and data.classes == ("cat", "dog") and data.target == "label"
    for part, (_, rows) in data.division.places.items():
        assert data.inputs[part].dtype == np.uint8 and data.inputs[part].flags.c_contiguous
        np.testing.assert_array_equal(data.inputs[part], pictures(frame)[rows].reshape(len(rows), -1))
    assert data.split.method == "shuffled, stratified by class"


def test_means_and_deviations_are_those_of_the_training_pictures_channel_by_channel(tmp_path):
    class_folders(tmp_path, 20, colour)
    data = load(tmp_path)
    assert data.picture is not None and data.picture.shape == (8, 8, 3)
    train = data.inputs["train"].reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(data.picture.means, train.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(data.picture.deviations, train.std(axis=0), rtol=1e-12)


def test_the_picture_is_the_only_input_and_other_columns_are_left_out_with_a_reason(tmp_path):
    class_folders(tmp_path, 20)
    frame = read_table(tmp_path).with_columns(weight=pl.int_range(40) * 1.5)
    data = load(frame)
    kinds = {decision.name: (decision.kind, decision.inputs) for decision in data.columns}
    assert kinds == {"picture": ("picture", 64), "label": ("target", 0), "path": ("dropped", 0), "weight": ("dropped", 0)}
    reasons = {decision.name: decision.reason for decision in data.columns}
    assert reasons["path"] == "dropped: it names the picture" and "whatever input normalisation" in reasons["picture"]
    assert len(data.preparation.input_names) == 64 and data.preparation.input_names[9] == "picture 1,1"


def test_the_input_normalisation_makes_no_difference_to_pictures(tmp_path):
    class_folders(tmp_path, 20)
    data = load(tmp_path)
    for normalisation in ("min_max", "none", "standard"):
        other = data.prepared(normalisation, "standard")
        assert other.input_normalisation == normalisation
        assert other.inputs is data.inputs and other.preparation == data.preparation


def test_class_folders_named_by_numbers_are_classes_however_many(tmp_path):
    class_folders(tmp_path, 3, classes=tuple(f"{number:03}" for number in range(30)))
    data = load(tmp_path)
    assert data.task == "classification" and len(data.classes) == 30


@pytest.mark.parametrize(
    ("dev", "parts"), [("val", ["train", "dev", "test"]), ("valid", ["train", "dev", "test"]), (None, ["train", "dev", "test"])]
)
def test_folders_for_parts_are_those_parts(tmp_path, dev, parts):
    class_folders(tmp_path / "train", 20)
    class_folders(tmp_path / "test", 5)
    if dev:
        class_folders(tmp_path / dev, 6)
    data = load(tmp_path, train_dev=False)
    assert list(data.split.rows) == parts and data.split.rows["test"] == 10
    assert data.split.rows["dev"] == (12 if dev else 8)
    paths = read_table(tmp_path)["path"]
    assert paths.str.starts_with("test/").sum() == 10 and paths.len() == 50 + 12 * bool(dev)


def test_parts_have_the_size_and_channels_of_the_training_pictures(tmp_path):
    class_folders(tmp_path / "train", 10, lambda: grey(10, 12))
    class_folders(tmp_path / "test", 5, lambda: colour(20, 24))
    data = load(tmp_path)
    assert data.picture is not None and data.picture.shape == (10, 12, 1)
    assert data.inputs["test"].shape == (10, 120)
    assert any("test data: 10 of 10 pictures resized to 10 x 12" in note for note in data.notes)


def test_a_class_may_be_called_train(tmp_path):
    class_folders(tmp_path, 10, classes=("bus", "train"))
    assert load(tmp_path).classes == ("bus", "train")


def test_a_test_source_of_ones_own_goes_before_the_folders_own(tmp_path):
    class_folders(tmp_path / "data" / "train", 10)
    class_folders(tmp_path / "data" / "test", 5)
    class_folders(tmp_path / "mine", 3)
    data = load(tmp_path / "data", test=tmp_path / "mine")
    assert data.split.rows["test"] == 6 and any("not used, since you gave another" in note for note in data.notes)


def test_hidden_and_other_files_are_left_out_and_counted(tmp_path):
    class_folders(tmp_path, 10)
    save(tmp_path, ".hidden/x.png", grey())
    save(tmp_path, "cat/.y.png", grey())
    save(tmp_path, "loose.png", grey())
    (tmp_path / "cat" / "notes.txt").write_text("x")
    (tmp_path / "README").write_text("x")
    notes = load(tmp_path).notes
    assert "2 other files left out: 1 .txt, 1 of no suffix" in notes and "1 picture in no class folder left out" in notes
    assert read_table(tmp_path).height == 21, "a picture in no class folder is predicted all the same"


def test_a_folder_without_class_folders_is_for_predicting_only(tmp_path):
    save(tmp_path, "a.png", grey())
    save(tmp_path, "b.jpg", grey())
    assert read_table(tmp_path).columns == ["picture", "path"]
    with pytest.raises(DataError, match=r"one folder per class.*2 pictures in no folder"):
        load(tmp_path)


def test_the_progress_of_decoding_is_told(tmp_path):
    class_folders(tmp_path, 40)
    told: list[Event] = []
    load(tmp_path, listener=told.append)
    assert [event.stage for event in told] == ["reading"] * len(told)
    assert max(event.done or 0 for event in told) == 80 and {event.trials for event in told} == {80}


# what a picture becomes


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "webp"])
def test_lossless_formats_come_back_as_they_were(tmp_path, suffix):
    pixels = grey()
    path = save(tmp_path, f"a.{suffix}", pixels, **({"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(one(path, channels=1)[..., 0], pixels)


def test_a_jpeg_is_what_pillow_makes_of_it(tmp_path):
    path = save(tmp_path, "a.jpeg", colour(16, 16))
    np.testing.assert_array_equal(one(path), np.asarray(Image.open(path)))


def test_of_an_animation_the_first_frame_counts(tmp_path):
    frames = [grey(), grey()]
    Image.fromarray(frames[0]).save(tmp_path / "a.gif", save_all=True, append_images=[Image.fromarray(frames[1])])
    np.testing.assert_array_equal(one(tmp_path / "a.gif", channels=1)[..., 0], frames[0])


def test_the_rotation_that_a_camera_noted_is_honoured(tmp_path):
    pixels = colour(6, 10)
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the scene is on the right: turn clockwise by a quarter
    path = save(tmp_path, "a.png", pixels, exif=exif)
    np.testing.assert_array_equal(one(path), np.rot90(pixels, -1))


def test_sixteen_bits_become_eight(tmp_path):
    values = RANDOM.integers(0, 65536, (8, 8)).astype(np.uint16)
    path = save(tmp_path, "a.png", values)
    np.testing.assert_array_equal(one(path)[..., 0], np.rint(values / 257).astype(np.uint8))


def test_transparent_pixels_lie_over_white(tmp_path):
    pixels = np.concatenate([colour(), RANDOM.integers(0, 256, (8, 8, 1), dtype=np.uint8)], axis=2)
    path = save(tmp_path, "a.png", pixels)
    alpha = pixels[..., 3:] / 255
    np.testing.assert_allclose(one(path), pixels[..., :3] * alpha + 255 * (1 - alpha), atol=1.01)


def test_a_palette_and_cmyk_become_colours(tmp_path):
    image = Image.fromarray(colour(16, 16))
    palette = image.quantize(8)
    palette.save(tmp_path / "a.png")
    np.testing.assert_array_equal(one(tmp_path / "a.png"), np.asarray(palette.convert("RGB")))
    image.convert("CMYK").save(tmp_path / "b.jpg")
    with Image.open(tmp_path / "b.jpg") as saved:
        np.testing.assert_array_equal(one(tmp_path / "b.jpg"), np.asarray(saved.convert("RGB")))


def test_one_bit_pictures_are_black_and_white(tmp_path):
    pixels = grey() > 128
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(one(tmp_path / "a.png")[..., 0], pixels * 255)


# one size


def test_pictures_of_mixed_sizes_get_the_median_size_and_a_note(tmp_path):
    for number, side in enumerate([8, 8, 8, 8, 8, 16, 24, 8, 8, 8]):
        for name in ("cat", "dog"):
            save(tmp_path, f"{name}/{number}.png", grey(side, side))
    data = load(tmp_path)
    assert data.picture is not None and data.picture.shape == (8, 8, 1)
    assert "4 of 20 pictures resized to 8 x 8 (scaled to cover it, cropped at the centre)" in data.notes


def test_large_pictures_are_shrunk_to_64_with_their_proportions(tmp_path):
    class_folders(tmp_path, 10, lambda: grey(96, 128))
    data = load(tmp_path)
    assert data.picture is not None and data.picture.shape == (48, 64, 1)
    assert load(tmp_path, picture_size=(12, 16)).inputs["train"].shape[1] == 12 * 16


def test_shrinking_averages_areas(tmp_path):
    pixels = grey(32, 32)
    path = save(tmp_path, "a.png", pixels)
    np.testing.assert_allclose(one(path, size=(8, 8))[..., 0], pixels.reshape(8, 4, 8, 4).mean(axis=(1, 3)), atol=1)


def test_enlarging_is_bilinear(tmp_path):
    path = save(tmp_path, "a.png", pixels := grey(8, 8))
    expected = np.asarray(Image.fromarray(pixels).resize((20, 20), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(one(path, size=(20, 20))[..., 0], expected)


def test_other_proportions_are_cropped_at_the_centre(tmp_path):
    pixels = grey(8, 24)
    path = save(tmp_path, "a.png", pixels)
    np.testing.assert_array_equal(one(path, size=(8, 8))[..., 0], pixels[:, 8:16])
    expected = pixels[:, 4:20].reshape(4, 2, 8, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(one(path, size=(4, 8))[..., 0], expected, atol=1)


def test_a_large_jpeg_decoded_at_a_fraction_of_its_size_is_its_area_average(tmp_path):
    y, x = np.mgrid[:400, :600]
    pixels = np.stack([x * 255 // 600, y * 255 // 400, 128 + 60 * np.sin(x / 40)], axis=2).astype(np.uint8)
    path = save(tmp_path, "a.jpg", pixels, quality=95)
    expected = pixels.reshape(20, 20, 30, 20, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(one(path, size=(20, 30)), expected, atol=6)


# grey and colour


def test_grey_among_colour_becomes_colour_and_is_counted(tmp_path):
    class_folders(tmp_path, 10, colour)
    save(tmp_path, "cat/grey.png", grey())
    data = load(tmp_path)
    assert data.picture is not None and data.picture.channels == 3
    assert "1 grey picture converted to colour" in data.notes


def test_grey_pictures_stored_in_colour_are_grey(tmp_path):
    class_folders(tmp_path, 10, lambda: np.repeat(grey()[..., None], 3, axis=2))
    data = load(tmp_path)
    assert data.picture is not None and data.picture.channels == 1
    assert "20 pictures stored in colour converted to grey" in data.notes


# tables of paths


def table_of_paths(folder: Path, count: int = 20) -> pl.DataFrame:
    names = [save(folder, f"pictures/{number}.png", grey()).relative_to(folder).as_posix() for number in range(count)]
    return pl.DataFrame({"file": names, "kind": ["ab"[number % 2] for number in range(count)]})


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_of_paths_is_read_relative_to_its_own_folder(tmp_path, suffix):
    table = table_of_paths(tmp_path)
    table.write_csv(tmp_path / "t.csv") if suffix == "csv" else table.write_parquet(tmp_path / "t.parquet")
    data = load(tmp_path / f"t.{suffix}")
    assert data.target == "kind" and data.classes == ("a", "b") and data.inputs["train"].dtype == np.uint8
    frame = read_table(tmp_path / f"t.{suffix}")
    assert frame.columns == ["picture", "kind", "path"] and frame["path"].to_list() == table["file"].to_list()


def test_a_data_frame_of_paths_is_read_relative_to_the_working_directory(tmp_path, monkeypatch):
    table = table_of_paths(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert load(table, target="kind").picture is not None
    assert load(table.to_pandas(), target="kind").picture is not None


def test_of_a_table_with_further_columns_the_target_is_named(tmp_path):
    table = table_of_paths(tmp_path).with_columns(size=pl.int_range(20) * 1.25)
    table.write_csv(tmp_path / "t.csv")
    assert load(tmp_path / "t.csv", target="size", task="regression").task == "regression"
    with pytest.raises(OptionError, match="a target column is named"):
        load(tmp_path / "t.csv")


def test_names_of_pictures_that_are_nowhere_stay_text_and_a_note_says_so(tmp_path):
    table = pl.DataFrame({"file": [f"{number % 5}.png" for number in range(40)], "kind": ["a", "b"] * 20})
    table.write_csv(tmp_path / "t.csv")
    data = load(tmp_path / "t.csv", target="kind")
    assert data.picture is None and any("'file' reads like paths of pictures" in note for note in data.notes)


def test_rows_whose_picture_cannot_be_read_are_left_out_with_their_weights_and_answers(tmp_path, monkeypatch):
    table = table_of_paths(tmp_path, 40)
    (tmp_path / "pictures" / "3.png").write_bytes(b"none")
    monkeypatch.chdir(tmp_path)
    weights = np.arange(40) + 1.0
    data = load(table.select("file"), y=np.arange(40) * 1.5, sample_weight=weights, task="regression")
    assert sum(data.split.rows.values()) == 39
    for part in data.inputs:
        np.testing.assert_allclose(
            data.weights[part] / data.weights[part][0], (data.truth[part] / 1.5 + 1) / (data.truth[part][0] / 1.5 + 1), rtol=1e-6
        )
        assert 3 * 1.5 not in data.truth[part]


# broken files


def test_broken_pictures_are_left_out_counted_and_named(tmp_path):
    class_folders(tmp_path, 20)
    whole = save(tmp_path, "whole.png", grey(40, 40)).read_bytes()
    (tmp_path / "whole.png").unlink()
    (tmp_path / "cat" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cat" / "empty.jpg").write_bytes(b"")
    (tmp_path / "dog" / "text.gif").write_bytes(b"this is no picture")
    note = next(note for note in load(tmp_path).notes if "cannot be read" in note)
    assert note.startswith("3 pictures that cannot be read left out: cat/cut.png (") and "cat/empty.jpg" in note and "dog/text.gif" in note
    with pytest.warns(PicturesLeftOut, match=r"3 pictures of .* left out, which cannot be read: cat/cut\.png"):
        assert read_table(tmp_path).height == 40


def test_many_broken_pictures_are_an_error_that_names_ten(tmp_path):
    class_folders(tmp_path, 20)
    for number in range(12):
        (tmp_path / "cat" / f"bad{number}.png").write_bytes(b"none")
    with pytest.raises(DataError, match=r"at least 90 %.*12 of 52.*bad0.*and 2 more"):
        load(tmp_path)


def test_pictures_of_fewer_than_four_pixels_on_a_side_cannot_be_used(tmp_path):
    class_folders(tmp_path, 5, lambda: grey(3, 9))
    with pytest.raises(DataError, match="3 x 9 pixels, fewer than 4"):
        load(tmp_path)


def test_all_faults_of_a_folder_come_together(tmp_path):
    save(tmp_path, "cat/a.png", grey())
    for name in ("dog", "emu"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    text = str(caught.value)
    assert len(caught.value.problems) == 3 and "none in 'dog'" in text and "none in 'emu'" in text and "one, 'cat'" in text


def test_a_folder_of_other_files_says_what_is_in_it(tmp_path):
    for name in ("a.tif", "b.tif", "c.pdf"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=r"received 2 \.tif, 1 \.pdf\..*such as a\.tif"):
        load(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no files"):
        read_table(tmp_path / "empty")


def test_pictures_that_do_not_fit_into_memory_are_read_smaller(tmp_path, monkeypatch):
    class_folders(tmp_path, 10, lambda: grey(32, 32))
    monkeypatch.setattr("shoal.data.pictures.fitting.available_bytes", lambda: 20 * 16 * 16 * 3 / 0.8)
    monkeypatch.setattr("shoal.data.pictures.fitting.free_disk_bytes", lambda: 0)
    data = load(tmp_path)
    assert data.picture is not None and data.picture.shape == (16, 16, 1)
    assert "16 x 16 pixels instead of 32 x 32, so that all pictures fit into memory or onto the disk" in data.notes
    monkeypatch.setattr("shoal.data.pictures.fitting.available_bytes", lambda: 100)
    with pytest.raises(DataError, match=r"20 of 32 x 32 need .* GiB"):
        load(tmp_path)


def test_a_folder_that_may_not_be_looked_into_is_an_error(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match=r"can be read; received .*Permission denied"):
        load(tmp_path)


# new pictures


def test_new_pictures_are_brought_to_the_size_and_channels_of_training(tmp_path):
    class_folders(tmp_path / "train", 20)
    preparation = load(tmp_path / "train").preparation
    large = save(tmp_path, "new/a.png", colour(32, 32))
    save(tmp_path, "new/b.png", pixels := grey())
    inputs = preparation.transform(tmp_path / "new")
    assert inputs.shape == (2, 64) and inputs.dtype == np.uint8
    np.testing.assert_array_equal(inputs[1], pixels.ravel())
    np.testing.assert_array_equal(inputs[0], one(large, size=(8, 8), channels=1).ravel())
    np.testing.assert_array_equal(preparation.transform(read_table(tmp_path / "new" / "..", like=preparation.picture)).shape, (42, 64))


def test_new_rows_without_pictures_say_what_is_missing(tmp_path):
    class_folders(tmp_path, 20)
    preparation = load(tmp_path).preparation
    with pytest.raises(DataError, match="'picture'"):
        preparation.transform(pl.DataFrame({"a": [1]}))
    with pytest.raises(DataError, match=r"the column 'picture' of the data frame holds pictures"):
        preparation.transform(pl.DataFrame({"picture": [1]}))
