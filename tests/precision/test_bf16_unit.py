"""The matrix products of bfloat16 numbers against plain loops; those of AMX by emulated instructions."""

import subprocess
from pathlib import Path

import pytest

from hashslide import build_info

HERE = Path(__file__).parent
CORE = HERE.parents[1] / "core"
AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512bf16", "-mfma"]
UNITS = {"AVX-512 BF16": [], "AMX BF16": ["-include", "amx_emulation.h", "-D__AMX_BF16__"]}


@pytest.mark.skipif("avx512bf16" not in build_info()["isa_supported"], reason="this CPU has no AVX-512 BF16")
@pytest.mark.parametrize("options", UNITS.values(), ids=UNITS.keys())
def test_products_are_those_of_plain_loops(options, tmp_path):
    program = tmp_path / "products"
    command = ["g++", "-std=c++20", "-O2", *AVX512, *options, "-I", CORE]
    subprocess.run([*command, "bf16_products.cpp", "-o", program], cwd=HERE, check=True, timeout=600)
    done = subprocess.run([program], capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout) == (0, "")
