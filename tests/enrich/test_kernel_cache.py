"""Compiled kernels are kept somewhere, wherever the package and the user may write."""

import os
import subprocess
import sys
from pathlib import Path

from stillwatch.enrich.kernel_cache import _private_folder


def test_no_home_and_a_package_that_cannot_be_written(tmp_path):
    # As root every folder can be written, so the places are refused by patching what numba tries.
    code = (
        "from numba.core import caching, config\n"
        "for place in (caching.InTreeCacheLocator, caching.UserWideCacheLocator):\n"
        "    place.ensure_cache_path = lambda self: (_ for _ in ()).throw(OSError('read-only'))\n"
        "from stillwatch.enrich.kernel_cache import ensure_kernel_cache\n"
        "ensure_kernel_cache()\n"
        "import numba\n"
        "f = numba.njit('int64(int64)', cache=True)(__import__('bisect_probe').probe)\n"
        "print(config.CACHE_DIR, f(1))\n"
    )
    (tmp_path / "bisect_probe.py").write_text("def probe(x):\n    return x + 1\n")
    (tmp_path / "tmp").mkdir()
    env = {"HOME": "/nonexistent", "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(tmp_path), "PATH": os.defpath}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    folder, answer = done.stdout.split()
    assert Path(folder).parent == tmp_path / "tmp" and answer == "2"
    assert list(Path(folder).rglob("*.nbi"))


def test_works_without_a_home():
    env = {"HOME": "/nonexistent", "PATH": os.defpath}
    code = (
        "import pyarrow as pa; from stillwatch.enrich.sketch import Gear, sketch;"
        "sketch(pa.array(['x']), Gear.from_key())"
    )
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_folder_that_others_can_write_is_not_trusted(tmp_path):
    first = _private_folder(tmp_path)
    assert first == _private_folder(tmp_path) and first.stat().st_mode & 0o077 == 0
    first.chmod(0o777)
    assert _private_folder(tmp_path) != first
