"""Builds llama.cpp from the source that `scripts/gpu_check.sh --pack` took along.

    python -m scripts.gpu_check.llama_build ARCHIVE OUT [--cuda 90]

The libraries are then in OUT/bin, for LLAMA_CPP_LIB_PATH. Needs cmake and a compiler, and nvcc for
--cuda, but nothing that is not in Python itself.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

FLAGS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=ON",
    *(
        f"-DLLAMA_BUILD_{part}=OFF"
        for part in ("COMMON", "TESTS", "TOOLS", "EXAMPLES", "SERVER", "APP")
    ),
    # Libraries find each other, and `links`, wherever the folder is moved to.
    "-DCMAKE_BUILD_RPATH_USE_ORIGIN=ON",
    "-DCMAKE_BUILD_RPATH=$ORIGIN/../links",
)
KEPT = ("CMakeLists.txt", "ggml", "src", "include", "cmake", "vendor", "LICENSE", "licenses")
ARCHIVE = "llama.cpp-trimmed.tar.gz"
BACKENDS = ("ggml-cpu", "ggml-cuda")
LINKED = ("cublas", "cublasLt", "cudart", "cuda")
"""What libggml-cuda is linked to."""


def trim(tree: Path, archive: Path) -> None:
    """Pack of llama.cpp's source what a library is built from: 3 MB."""
    for folder in (tree / "ggml" / "src").iterdir():
        if folder.is_dir() and folder.name not in BACKENDS:
            shutil.rmtree(folder)
    for folder in (tree / "vendor").glob("*httplib*"):
        shutil.rmtree(folder)
    with tarfile.open(archive, "w:gz") as packed:
        for name in KEPT:
            packed.add(tree / name, name)


def flags(architecture: str, machine: str) -> list[str]:
    """CMake's options; `architecture` is the GPU's ("90"), or "" for a library without CUDA."""
    found = [*FLAGS]
    # Plain AVX2: code built for exactly this processor crashes in virtual machines that announce
    # instructions (AMX) which they do not let a program use. The CUDA library has a CPU part, too.
    if machine in ("x86_64", "AMD64"):
        found.append("-DGGML_NATIVE=OFF")
    if architecture:
        found += ["-DGGML_CUDA=ON", "-DGGML_CUDA_NCCL=OFF"]
        found.append(f"-DCMAKE_CUDA_ARCHITECTURES={architecture}")
    return found


def build(archive: Path, out: Path, architecture: str) -> Path:
    """Build it, and return the folder of the libraries.

    Raises CalledProcessError; `build.log` in `out` says why.
    """
    shutil.rmtree(out, ignore_errors=True)
    source = out / "source"
    source.mkdir(parents=True)
    with tarfile.open(archive) as packed:
        packed.extractall(source, filter="data")
    environment = dict(os.environ)
    if architecture:
        headers = link(out / "links")
        environment["CPATH"] = os.pathsep.join(filter(None, [headers, os.environ.get("CPATH", "")]))
    options = [*flags(architecture, platform.machine()), f"-DCMAKE_LIBRARY_PATH={out / 'links'}"]
    jobs = str(len(os.sched_getaffinity(0)))
    with (out / "build.log").open("w") as log:
        for command in (
            ["cmake", "-S", source, "-B", out, *options],
            ["cmake", "--build", out, "-j", jobs],
        ):
            subprocess.run(
                command, stdout=log, stderr=subprocess.STDOUT, check=True, env=environment
            )
    return out / "bin"


def link(folder: Path) -> str:
    """Make `folder` hold CUDA's libraries under the names that the linker and the loader want.

    They come from the toolkit, from torch's own packages where the toolkit is without cuBLAS, or
    from the system. Returns the folder of cuBLAS's headers there, or "".
    """
    folder.mkdir(parents=True, exist_ok=True)
    headers = ""
    places = list(_places())
    for name in LINKED:
        found = next((file for place in places for file in _versions(place, name)), None)
        if found is None:
            if name == "cuda":
                _stub(folder)
            continue
        for alias in {found.name, f"lib{name}.so"}:
            (folder / alias).unlink(missing_ok=True)
            (folder / alias).symlink_to(found.resolve())
        if name == "cublas" and (found.parents[1] / "include" / "cublas_v2.h").exists():
            headers = str(found.parents[1] / "include")
    return headers


def _places() -> Iterator[Path]:
    """Folders with libraries, the best first."""
    if nvcc := shutil.which("nvcc"):
        root = Path(nvcc).resolve().parents[1]
        yield from (root / "lib64", *root.glob("targets/*/lib"))
    yield from map(Path, ("/usr/local/cuda/lib64", "/usr/local/nvidia/lib64"))
    spec = importlib.util.find_spec("nvidia")
    for top in (spec.submodule_search_locations or ()) if spec else ():
        yield from sorted(Path(top).glob("*/lib"), reverse=True)
    yield from Path("/usr/lib").glob("*-linux-gnu")
    yield Path("/usr/lib64")


def _versions(place: Path, name: str) -> list[Path]:
    """libNAME.so.13 before libNAME.so.13.0.2: the one that is asked for when a program starts."""
    return sorted(place.glob(f"lib{name}.so.*"), key=lambda file: (len(file.name), file.name))


def _stub(folder: Path) -> None:
    """An empty driver library for the linker, on a machine without one."""
    empty = ["-shared", "-x", "c", os.devnull, "-Wl,-soname,libcuda.so.1"]
    subprocess.run(["cc", *empty, "-o", folder / "libcuda.so"], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cuda", default="", metavar="90", help="for this compute capability")
    options = parser.parse_args()
    out = options.out.resolve()
    try:
        print(build(options.archive, out, options.cuda))
    except subprocess.CalledProcessError:
        sys.exit(f"llama.cpp was not built; see {out / 'build.log'}")


if __name__ == "__main__":
    main()
