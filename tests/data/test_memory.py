"""Where rows are kept: aligned in memory, in a file where memory is short; what containers allow; and the errors where there is no room."""

from __future__ import annotations

import os
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from shoal import data, devices
from shoal.data import memory
from shoal.data.pictures.fitting import fitting_size
from shoal.errors import DataError
from shoal.population import Tables
from shoal.recipe import Recipe
from shoal.trainer import Network, Trainer
from shoal.training import Batch


def short_of_memory(monkeypatch: pytest.MonkeyPatch, left: int = 0) -> None:
    for place in ("shoal.data.memory.available_bytes", "shoal.data.pictures.fitting.available_bytes"):
        monkeypatch.setattr(place, lambda: left)


def is_in_a_file(array: np.ndarray) -> bool:
    """Whether the memory map of the process has a file where this array is."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(end, 16) for end in line.split()[0].split("-"))
        if first <= array.ctypes.data < last:
            return "(deleted)" in line
    raise AssertionError("an address outside the process")


@pytest.mark.parametrize("left", [1 << 40, 0], ids=["memory", "file"])
@pytest.mark.parametrize(("shape", "dtype"), [((3, 5), np.uint8), ((70_001, 3), np.float32), ((0, 4), np.uint8)])
def test_there_is_room_for_rows_at_an_address_that_devices_share(monkeypatch, left, shape, dtype):
    short_of_memory(monkeypatch, left)
    array = memory.zeros(shape, dtype)
    assert array.shape == shape and array.dtype == dtype and not array.any()
    array[:] = 3
    assert array.sum() == 3 * array.size
    if array.size:
        assert array.ctypes.data % memory.ALIGNMENT == 0
        assert is_in_a_file(array) == (left == 0)
        whole = NamedSharding(devices.mesh(len(devices.start())), PartitionSpec())
        placed = jax.device_put(array, whole)
        assert {shard.data.unsafe_buffer_pointer() for shard in placed.addressable_shards} == {array.ctypes.data}


def test_all_devices_use_one_copy_of_the_rows():
    rng = np.random.default_rng(0)
    part = Batch(rng.normal(size=(700, 13)).astype(np.float32), np.zeros(700, np.int32), np.ones(700, np.float32))
    assert len(devices.start()) > 1
    placed = Tables.load(part, part).train.x
    assert len({shard.data.unsafe_buffer_pointer() for shard in placed.addressable_shards}) == 1
    np.testing.assert_array_equal(np.asarray(placed)[:700, :13], part.x)


def test_networks_on_rows_in_a_file_are_those_on_rows_in_memory(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    rng = np.random.default_rng(1)
    pictures, labels = rng.integers(0, 256, (300, 12, 12, 3), dtype=np.uint8), rng.integers(0, 3, 300)
    np.savez(tmp_path / "set.npz", x=pictures, y=labels)
    recipe = Recipe(hidden_units=(8,), channels=(4,), epochs=2, batch_size=32)
    found = []
    for left in (1 << 40, 10_000):  # which the labels fit into
        short_of_memory(monkeypatch, left)
        dataset = data.load(tmp_path / "set.npz")
        assert is_in_a_file(dataset.inputs["train"]) == (left == 10_000)
        said = [note for note in dataset.notes if "300 pictures of 12 x 12 take 0.0 GiB and do not fit into memory" in note]
        assert len(said) == (left == 10_000)
        trainer, network = Trainer(dataset, 0), Network(0, 0, recipe)
        trainer.train("some", [network])
        assert is_in_a_file(np.asarray(trainer.prepared(recipe.shape)[1].train.x)) == (left == 10_000)
        found.append((dataset.fingerprint, (network.state, trainer.outputs([network], "dev"))))
    (first, in_memory), (second, in_file) = found
    assert first == second
    assert [path.name for path in tmp_path.iterdir()] == ["set.npz"]
    jax.tree.map(np.testing.assert_array_equal, in_memory, in_file)


def test_no_room_in_memory_nor_on_the_disk_is_an_error(monkeypatch, tmp_path):
    short_of_memory(monkeypatch, 100)
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DataError, match=rf"onto the disk; received .*{tmp_path}: No space left on device\. Give fewer rows, or set TMPDIR"):
        memory.zeros((1000,), np.uint8, in_order=False)
    monkeypatch.setattr("shoal.data.pictures.fitting.free_disk_bytes", lambda: 3 * 1000 * 16 / 0.8)
    assert fitting_size(1000, (8, 8, 1), asked_for=False)[:2] == (4, 4)
    with pytest.raises(DataError, match=r"1,000 of 8 x 8 need .* available, and .* on the disk of .* or set TMPDIR"):
        fitting_size(1000, (8, 8, 1), asked_for=True)


def test_files_lie_where_they_are_asked_to_or_on_a_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert memory.folder() == tmp_path
    assert memory.free_disk_bytes() > 0
    monkeypatch.delenv("TMPDIR")
    assert memory.folder() == Path("/var/tmp")


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("own", ["/docker/abc", "/elsewhere"], ids=["outside a container", "in a container"])
def test_a_control_group_limits_memory_but_for_files_that_can_be_read_again(monkeypatch, tmp_path, version, own):
    names = ("memory.max", "memory.current", "") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
    root = tmp_path if version == 2 else tmp_path / "memory"
    place = root / "docker/abc" if own == "/docker/abc" else root
    place.mkdir(parents=True, exist_ok=True)
    (place / names[0]).write_text("1000\n")
    (place / names[1]).write_text("700\n")
    (place / "memory.stat").write_text(f"anon 300\n{names[2]}active_file 150\n{names[2]}inactive_file 250\n")
    (tmp_path / "own").write_text(f"0::{own}\n" if version == 2 else f"11:cpu:/\n9:memory,pids:{own}\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_OWN_CGROUP", tmp_path / "own")
    assert memory.available_bytes() == 700
    (place / names[0]).write_text("max\n" if version == 2 else f"{2**63 - 4096}\n")
    assert memory.available_bytes() > 1 << 20


def test_two_scales_of_a_target_share_the_rows():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(300, 4)), rng.poisson(2.0, 300).astype(np.float64)
    trainer = Trainer(data.load(x, y=y, task="regression"), 0)
    (usual, one), (counts, other) = (trainer.prepared(Recipe(loss=loss).shape) for loss in ("squared_error", "poisson"))
    assert (usual.target_scaling, counts.target_scaling) == ("standard", "mean")
    for part in ("train", "dev"):
        mine, theirs = getattr(one, part), getattr(other, part)
        assert mine.x is theirs.x
        np.testing.assert_array_equal(theirs.target[: len(counts.targets[part])], counts.targets[part])
        np.testing.assert_array_equal(theirs.target[len(counts.targets[part]) :], 0)
        assert mine.target.shape == theirs.target.shape and mine.target.sharding == theirs.target.sharding
