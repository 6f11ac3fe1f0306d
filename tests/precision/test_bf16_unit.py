"""The matrix products of bfloat16 numbers against plain loops; those of AMX by emulated instructions."""

import shutil
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


ARM = "aarch64-linux-gnu-g++", "qemu-aarch64"


@pytest.mark.skipif(not all(map(shutil.which, ARM)), reason="no compiler for ARM, or no emulator")
def test_products_on_arm_are_those_of_plain_loops(tmp_path):
    program, (compiler, emulator) = tmp_path / "products", ARM
    command = [compiler, "-std=c++20", "-O2", "-static", "-march=armv8.2-a+bf16", "-I", CORE]
    subprocess.run([*command, "bf16_products.cpp", "-o", program], cwd=HERE, check=True, timeout=600)
    run = [emulator, "-cpu", "max", program]
    done = subprocess.run(run, capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(shutil.which(ARM[0]) is None, reason="no compiler for ARM")
@pytest.mark.parametrize("name", ["kernels", "products", "bf16_unit", "bf16_neon", "screening", "dispatch"])
def test_kernels_compile_for_arm(name, tmp_path):
    command = [ARM[0], "-std=c++20", "-O2", "-march=armv8.2-a+bf16", "-DHASHSLIDE_ISA=neonbf16", "-I", CORE]
    options = ["-DHASHSLIDE_HAS_NEONBF16", "-c", CORE / "simd" / f"{name}.cpp", "-o", tmp_path / "object"]
    subprocess.run([*command, *options], check=True, timeout=600)
