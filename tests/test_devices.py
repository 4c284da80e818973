"""Devices and the cache of compiled programs, in processes of their own where they must start JAX themselves."""

import functools
import os
import subprocess
import sys

import pytest

from shoal import devices
from shoal.nets.division import EXAMPLES, parts_of


def run(code, **environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "SHOAL_"))}
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=inherited | environment, capture_output=True, text=True, timeout=120
    )
    assert process.returncode == 0, process.stderr
    return process


@pytest.mark.parametrize("networks", [1, 2, 3, 4, 7, 64])
def test_a_shoal_is_divided_evenly_over_the_most_devices_that_allow_it(networks):
    count = len(devices.start())
    mesh = devices.mesh(networks)
    assert networks % mesh.size == 0 and mesh.axis_names == (devices.AXIS, EXAMPLES)
    assert all(networks % larger for larger in range(mesh.size + 1, count + 1))


@pytest.mark.parametrize(
    ("count", "networks", "examples", "shape"),
    [
        (2, 1, 128, (1, 2)),
        (2, 3, 128, (1, 2)),
        (2, 4, 128, (2, 1)),
        (2, 1, 31, (1, 1)),  # an odd number cannot be halved
        (2, 1, 16, (1, 1)),  # too few to be worth it
        (4, 2, 128, (2, 2)),
        (4, 3, 128, (1, 4)),
        (6, 4, 96, (2, 3)),
        (16, 1, 64, (1, 4)),
        (16, 5, 128, (5, 2)),
    ],
)
def test_devices_that_networks_leave_over_divide_the_examples(count, networks, examples, shape, monkeypatch):
    monkeypatch.setattr(devices, "start", lambda: tuple(range(count)))
    monkeypatch.setattr(devices, "Mesh", lambda chosen, axes: dict(zip(axes, chosen.shape, strict=True)))
    assert devices.mesh(networks, functools.partial(parts_of, examples)) == dict(zip((devices.AXIS, EXAMPLES), shape, strict=True))


def test_every_core_is_a_device_and_programs_are_kept_in_the_folder_asked_for(tmp_path):
    code = """
import jax
from shoal import devices
assert len(devices.start()) == devices.cores(), devices.start()
assert devices.compilations() == 0
jax.jit(lambda x: x + 1)(1.0).block_until_ready()
first = devices.compilations()
assert first >= 1
jax.jit(lambda x: x + 1)(2.0).block_until_ready()  # another function of the same program: read from the cache
assert devices.compilations() == first
"""
    run(code, SHOAL_CACHE_DIR=str(tmp_path / "cache"))
    assert any((tmp_path / "cache" / "programs").iterdir())


def test_a_jax_that_was_started_before_keeps_its_devices_and_its_cache_and_shoal_says_so_once(tmp_path):
    code = f"""
import logging, jax
logging.basicConfig(format="%(name)s %(levelname)s %(message)s")
jax.config.update("jax_compilation_cache_dir", {str(tmp_path / "own")!r})
jax.config.update("jax_num_cpu_devices", 1)
before = jax.devices()
from shoal import devices
devices.cores = lambda: 2
assert list(devices.start()) == before and list(devices.start()) == before
assert jax.config.jax_compilation_cache_dir == {str(tmp_path / "own")!r}
"""
    said = run(code, SHOAL_CACHE_DIR=str(tmp_path / "cache")).stderr.splitlines()
    assert said == ["shoal WARNING JAX was already started with 1 device(s) for 2 cores; shoal uses those."]
    assert not (tmp_path / "cache").exists()


def test_a_cache_folder_that_cannot_be_made_is_done_without(tmp_path):
    (tmp_path / "file").write_text("in the way")
    run("from shoal import devices; assert devices.start()", SHOAL_CACHE_DIR=str(tmp_path / "file"))
