"""Packs what a machine with a GPU but no network lacks: Python packages, and llama.cpp's source.

    python -m scripts.gpu_check.pack DIR [--python 3.12] [--have FILE] [--most-mb 45]

Everything that the local stack and its tests need goes along, as this environment has it, but for
torch, which has to be there already. FILE is `python -m pip list --format=freeze` of that machine:
what it has in a version that fits stays behind. Packages of Python alone are packed again from this
environment; the others are fetched for that Python. DIR/1, DIR/2 ... hold at most so many MB each.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.gpu_check.llama_build import ARCHIVE, trim

ROOTS = ("voicebot-local[local]", "pytest", "pytest-timeout", "hypothesis", "trio", "gguf")
THERE = ("torch", "torchaudio", "triton")
"""They belong to the machine: its driver, its CUDA. So do packages whose name begins as below."""
THERE_BEGIN = ("nvidia-c", "nvidia-n", "cuda-")
UNUSED = ("wandb", "onnxruntime", "silero-vad", "livekit")
"""Training, Smart Turn, echo cancelling: large, and for nothing that is measured."""
NATIVE = ("llama-cpp-python",)
"""Goes without its library, which is built there or found by LLAMA_CPP_LIB_PATH."""
SYSTEM = {
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}
PLATFORMS = tuple(f"manylinux_2_{minor}_x86_64" for minor in (35, 34, 31, 28, 27, 24, 17, 12, 5))
NAMES = ("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64")


def needed(python: str, have: dict[str, str]) -> list[Distribution]:
    """Every package that is needed there and is not there in a version that fits."""
    there = SYSTEM | {"python_version": python, "python_full_version": f"{python}.0"}
    queue = [Requirement(root) for root in ROOTS]
    asked: dict[str, list[Requirement]] = {}
    seen: set[str] = set()
    while queue:
        one = queue.pop()
        name = canonicalize_name(one.name)
        asked.setdefault(name, []).append(one)
        if str(one) in seen or stays(name):
            continue
        seen.add(str(one))
        try:
            wants = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # For another system or Python: pip says below what it misses.
        for want in map(Requirement, wants):
            extras = {"", *one.extras}
            if not want.marker or any(want.marker.evaluate(there | {"extra": e}) for e in extras):
                queue.append(want)
    found = []
    for name, requirements in sorted(asked.items()):
        if name != "voicebot-local" and not stays(name) and not fits(have.get(name), requirements):
            found.append(distribution(name))
    return found


def stays(name: str) -> bool:
    """Whether a package is never taken along."""
    of_cuda = name.startswith(THERE_BEGIN) and name != "nvidia-ml-py"
    return of_cuda or name in (*THERE, *UNUSED)


def fits(version: str | None, requirements: list[Requirement]) -> bool:
    """Whether a package in that version will do; "" is an unknown one, None none at all."""
    if not version:
        return version is not None and all("==" not in str(one.specifier) for one in requirements)
    return all(one.specifier.contains(version, prereleases=True) for one in requirements)


def read_have(text: str) -> dict[str, str]:
    """`pip list --format=freeze`, or bare names: name to version, "" where it is not told."""
    found: dict[str, str] = {}
    for line in text.split():
        name, _, version = line.partition("==")
        found[canonicalize_name(name)] = version.partition("+")[0]
    return found


def is_pure(package: Distribution) -> bool:
    return "py3-none-any" in (package.read_text("WHEEL") or "") and not any(
        ".so" in Path(str(file)).suffixes for file in package.files or ()
    )


def files_of(package: Distribution) -> dict[str, Path]:
    """What a wheel of it holds: no scripts outside, nothing compiled, no list of itself."""
    native = canonicalize_name(package.name) in NATIVE
    found: dict[str, Path] = {}
    for file in package.files or ():
        name, path = file.as_posix(), Path(str(file.locate()))
        inside = not name.startswith(("..", "/")) and "__pycache__" not in name
        library = native and not name.startswith(("llama_cpp/", "llama_cpp_python"))
        library |= ".so" in path.suffixes
        if inside and not library and not name.endswith("/RECORD") and path.is_file():
            found[name] = path
    return found


def pack(package: Distribution, folder: Path) -> Path:
    """Write its wheel, of Python alone, into `folder`."""
    stem = f"{package.name.replace('-', '_')}-{package.version}"
    out = folder / f"{stem}-py3-none-any.whl"
    record = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as wheel:
        info = ""
        for name, path in files_of(package).items():
            data = path.read_bytes()
            if name.endswith(".dist-info/WHEEL"):
                info = name.rpartition("/")[0]
                data = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            wheel.writestr(name, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
            record.append(f"{name},sha256={digest.decode()},{len(data)}")
        record.append(f"{info}/RECORD,,")
        wheel.writestr(f"{info}/RECORD", "\n".join(record) + "\n")
    return out


def fetch(packages: list[Distribution], python: str, folder: Path) -> None:
    """Wheels with compiled code, in the versions of this environment. Raises CalledProcessError."""
    platforms = [f"--platform={name}" for name in (*PLATFORMS, *NAMES)]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"),
            *("--python-version", python, "--implementation=cp", *platforms, "-d", folder),
            *(f"{one.name}=={one.version}" for one in packages),
        ],
        check=True,
    )


def llama_source(version: str, out: Path) -> None:
    """llama.cpp as llama-cpp-python of that version has it, trimmed."""
    with tempfile.TemporaryDirectory() as directory:
        wanted = f"llama-cpp-python=={version}"
        command = ["pip", "download", "-q", "--no-deps", "--no-binary=:all:", "-d", directory]
        subprocess.run([sys.executable, "-m", *command, wanted], check=True)
        (archive,) = Path(directory).glob("llama_cpp_python-*.tar.gz")
        shutil.unpack_archive(archive, directory, filter="data")
        (tree,) = Path(directory).glob("llama_cpp_python-*/vendor/llama.cpp")
        trim(tree, out)


def portions(files: list[Path], most: int) -> list[list[Path]]:
    """Files in as few portions as a simple rule finds, none over `most` bytes but of one file."""
    found: list[tuple[int, list[Path]]] = []
    for file in sorted(files, key=lambda one: -one.stat().st_size):
        size = file.stat().st_size
        for number, (taken, portion) in enumerate(found):
            if taken + size <= most:
                found[number] = (taken + size, [*portion, file])
                break
        else:
            found.append((size, [file]))
    return [portion for _, portion in found]


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/gpu_check.sh --pack")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--python", default="3.12", help="of that machine")
    parser.add_argument("--have", type=Path, metavar="FILE", help="its pip list --format=freeze")
    parser.add_argument("--most-mb", type=float, default=45, metavar="MB", help="of each portion")
    options = parser.parse_args()
    have = read_have(options.have.read_text("utf-8")) if options.have else {}
    packages = needed(options.python, have)
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory)
        pure = [one for one in packages if is_pure(one) or canonicalize_name(one.name) in NATIVE]
        compiled = [one for one in packages if one not in pure]
        for one in pure:
            pack(one, made)
        if compiled:
            fetch(compiled, options.python, made)
        llama_source(distribution(NATIVE[0]).version, made / ARCHIVE)
        for old in (*options.folder.glob("*/*.whl"), *options.folder.glob(f"*/{ARCHIVE}")):
            old.unlink()
        for number, files in enumerate(portions(list(made.iterdir()), options.most_mb * 1e6), 1):
            (options.folder / str(number)).mkdir(parents=True, exist_ok=True)
            for file in files:
                shutil.copy(file, options.folder / str(number))
            size = sum(file.stat().st_size for file in files) / 2**20
            print(f"{options.folder / str(number)}: {len(files)} files, {size:.1f} MiB")


if __name__ == "__main__":
    main()
