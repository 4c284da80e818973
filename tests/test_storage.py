"""Files that survive a kill: whole or not at all, and every change is noticed."""

import errno
import json
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shoal import storage
from shoal.errors import RunFolderError

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([True, False]), "c": np.array([3], np.int32)}
RECORDS = [b'{"job":1}', b"", b"\xff\x00 spaces and \r returns", b'{"job":4}']
on_one_file = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def names(folder):
    return [path.name for path in folder.iterdir()]


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_is_replaced_and_no_temporary_file_is_left(tmp_path):
    path = tmp_path / "f"
    for content in (b"old", b"new and longer"):
        storage.write_atomically(path, content)
        assert path.read_bytes() == content
    assert names(tmp_path) == ["f"]


@pytest.mark.parametrize("fails", ["fsync", "write", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, fails):
    path = tmp_path / "f"
    storage.write_atomically(path, b"old")
    if fails == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    elif fails == "replace":
        monkeypatch.setattr(type(path), "replace", full)
    else:
        opened = type(path).open

        def open_full(self, *args):
            file = opened(self, *args, buffering=0)
            file_write = file.write
            return _Disk(file, lambda content: (file_write(content[:1]), full()))

        monkeypatch.setattr(type(path), "open", open_full)
    with pytest.raises(RunFolderError, match="Free some disk space"):
        storage.write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old" and names(tmp_path) == ["f"]


class _Disk:
    """A file whose disk fills up after the first byte."""

    def __init__(self, file, write):
        self.file, self.write = file, write

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


def test_what_a_folder_without_permission_says(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(RunFolderError, match=r"Permission denied.*Choose another folder"):
        storage.write_atomically(tmp_path / "f", b"new")
    assert names(tmp_path) == []


def test_content_is_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    path, seen = tmp_path / "f", []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: seen.append((path.exists(), os.fstat(number).st_size)) or fsync(number))
    storage.write_atomically(path, b"content")
    assert seen == [(False, 7)]


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@on_one_file
@given(content=st.dictionaries(st.text(max_size=6).filter(lambda name: name != "format"), plain, max_size=4))
def test_json_comes_back_as_it_was(tmp_path, content):
    storage.write_json(tmp_path / "f.json", content)
    assert storage.read_json(tmp_path / "f.json", 1) == content


@on_one_file
@given(data=st.data())
def test_any_single_flipped_bit_of_a_json_file_is_caught_or_changes_nothing(tmp_path, data):
    path, content = tmp_path / "f.json", {"format": 1, "name": "Zürich", "values": [1.5, None, "x"]}
    storage.write_json(path, content)
    whole = bytearray(path.read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(whole)
    try:
        assert storage.read_json(path, 1) == content  # a flipped space between two values
    except RunFolderError as error:
        assert "f.json" in str(error)


@on_one_file
@given(data=st.data())
def test_any_single_changed_byte_of_a_weights_file_is_caught(tmp_path, data):
    path = tmp_path / "w.safetensors"
    checksum = storage.write_arrays(path, ARRAYS)
    whole = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[position]))
    path.write_bytes(whole)
    with pytest.raises(RunFolderError, match=r"w\.safetensors"):
        storage.read_arrays(path, checksum)


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 40, -1])
def test_a_file_cut_short_is_caught_with_and_without_a_checksum(tmp_path, kept):
    path = tmp_path / "w.safetensors"
    checksum = storage.write_arrays(path, ARRAYS)
    path.write_bytes(path.read_bytes()[:kept])
    for expected in (checksum, None):
        with pytest.raises(RunFolderError):
            storage.read_arrays(path, expected)
    storage.write_json(tmp_path / "f.json", {"format": 1})
    (tmp_path / "f.json").write_bytes((tmp_path / "f.json").read_bytes()[:kept])
    with pytest.raises(RunFolderError):
        storage.read_json(tmp_path / "f.json", 1)


@pytest.mark.parametrize("text", ["[]", "3", '"x"', "{}", '{"content": {}}', '{"sha256": "", "content": []}', "\xff", "[" * 100_000])
def test_other_json_is_refused_with_a_message_whatever_it_is(tmp_path, text):
    (tmp_path / "f.json").write_text(text, encoding="latin-1")
    with pytest.raises(RunFolderError, match=r"f\.json"):
        storage.read_json(tmp_path / "f.json", 1)


def test_arrays_come_back_as_they_were(tmp_path):
    views = {**ARRAYS, "transposed": ARRAYS["a"].T, "empty": np.zeros((0, 4), np.float32)}
    back = storage.read_arrays(tmp_path / "w", storage.write_arrays(tmp_path / "w", views))
    assert back.keys() == views.keys()
    for name, array in views.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].dtype == array.dtype


def test_a_newer_format_is_refused_and_says_what_to_do(tmp_path):
    storage.write_json(tmp_path / "f.json", {"format": 3})
    assert storage.read_json(tmp_path / "f.json", 3) == {"format": 3}
    with pytest.raises(RunFolderError, match=r"format 3 .*newer than 2.*Install a newer shoal"):
        storage.read_json(tmp_path / "f.json", 2)


def test_numbers_that_json_cannot_carry_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        storage.write_json(tmp_path / "f.json", {"loss": float("nan")})
    assert names(tmp_path) == []


def test_a_missing_file_is_named(tmp_path):
    for read in (storage.read_bytes, storage.read_arrays, lambda path: storage.read_json(path, 1)):
        with pytest.raises(RunFolderError, match="nowhere"):
            read(tmp_path / "nowhere")


def appended(path):
    path.unlink(missing_ok=True)
    for record in RECORDS:
        storage.append_line(path, record)
    return path.read_bytes()


def test_records_come_back_in_order_and_an_absent_file_has_none(tmp_path):
    assert list(storage.read_lines(tmp_path / "trials")) == []
    appended(tmp_path / "trials")
    assert list(storage.read_lines(tmp_path / "trials")) == RECORDS


def test_a_record_torn_anywhere_is_dropped_and_those_before_it_are_kept(tmp_path):
    path = tmp_path / "trials"
    whole = appended(path)
    ends = np.cumsum([len(record) + 10 for record in RECORDS])
    assert ends[-1] == len(whole)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert list(storage.read_lines(path)) == RECORDS[: int((ends <= length).sum())]


@on_one_file
@given(data=st.data())
def test_a_changed_byte_ends_the_records_before_it(tmp_path, data):
    path = tmp_path / "trials"
    whole = bytearray(appended(path))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[position]))
    path.write_bytes(whole)
    ends = np.cumsum([len(record) + 10 for record in RECORDS])
    assert list(storage.read_lines(path)) == RECORDS[: int((ends <= position).sum())]


def test_a_record_is_on_the_disk_when_it_is_acknowledged_and_is_one_line(tmp_path, monkeypatch):
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_size) or fsync(number))
    storage.append_line(tmp_path / "trials", b"record")
    assert synced == [len(b"record") + 10]
    with pytest.raises(ValueError, match="one line"):
        storage.append_line(tmp_path / "trials", b"two\nlines")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunFolderError, match="disk space"):
        storage.append_line(tmp_path / "trials", b"record")


def test_a_json_file_is_readable_by_anything(tmp_path):
    storage.write_json(tmp_path / "f.json", {"name": "Zürich"})
    assert json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))["content"] == {"name": "Zürich"}


@pytest.mark.parametrize("content", [[1], "text", {"format": "new"}, {"format": [1]}])
def test_json_with_a_true_checksum_but_another_form_is_refused(tmp_path, content):
    storage.write_json(tmp_path / "f.json", content)
    with pytest.raises(RunFolderError, match=r"f\.json"):
        storage.read_json(tmp_path / "f.json", 1)
