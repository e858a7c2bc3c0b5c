"""Packs the small pure-Python packages of this environment as wheels again.

    python -m scripts.gpu_check.pack DIR

For a machine that has torch, NeMo and coqui-tts but no network. What holds compiled code is left
out: it belongs to one Python on one system. llama-cpp-python goes without its library, which is
built where it is needed and found by LLAMA_CPP_LIB_PATH.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from importlib.metadata import Distribution, distributions
from pathlib import Path

MOST_BYTES = 6_000_000
"""Of a package: what is larger is torch's or a model's, and stays where it is."""
NATIVE = ("llama-cpp-python", "llama_cpp_python")
LEFT_OUT = ("voicebot-local", "voicebot_local", "pip", "setuptools", "wheel")


def files_of(package: Distribution) -> dict[str, Path]:
    """What a wheel of it holds: no scripts outside, nothing compiled, no list of itself."""
    found: dict[str, Path] = {}
    for file in package.files or ():
        name, path = file.as_posix(), Path(str(file.locate()))
        inside = not name.startswith(("..", "/")) and "__pycache__" not in name
        library = package.name in NATIVE and not name.startswith(("llama_cpp/", "llama_cpp_python"))
        library |= ".so" in path.suffixes
        if inside and not library and not name.endswith("/RECORD") and path.is_file():
            found[name] = path
    return found


def is_wanted(package: Distribution) -> bool:
    pure = "py3-none-any" in (package.read_text("WHEEL") or "")
    size = sum(path.stat().st_size for path in files_of(package).values())
    return package.name not in LEFT_OUT and (pure or package.name in NATIVE) and size < MOST_BYTES


def pack(package: Distribution, folder: Path) -> Path:
    """Write its wheel into `folder`."""
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


def main() -> None:
    folder = Path(sys.argv[1])
    packed = [pack(one, folder) for one in distributions() if is_wanted(one)]
    size = sum(path.stat().st_size for path in packed)
    print(f"{len(packed)} packages, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
