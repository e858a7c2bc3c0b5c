"""Versions of software in English words."""

from __future__ import annotations

import re

from voicebot_local.text.numbers import cardinal

_SOFTWARE = (
    "Python|CUDA|cuDNN|Node|Java|PHP|Ruby|Go|Rust|Kotlin|Swift|Scala|Perl|Lua|Julia|PyTorch|TensorFlow"
    "|Keras|NumPy|Kubernetes|Docker|Django|Flask|Rails|Spring|Angular|Vue|React|Ubuntu|Debian|Fedora"
    r"|Linux|[Kk]ernel|PostgreSQL|Postgres|MySQL|SQLite|Redis|\.NET|macOS|iOS|Android|Chrome|Firefox"
    r"|Blender|Unity|Godot|[Vv]ersions?|[Rr]elease|GCC|Clang|CMake|Git"
)
_RELEASE = re.compile(rf"(?<![\w])({_SOFTWARE}),? v?(\d{{1,3}})\.(\d{{1,3}})(\+?)(?![\w.]\d|\w|%)")
_PRERELEASE = re.compile(
    r"\b[vV]?(\d+(?:\.\d+)+)[-.]?(?:(alpha|beta|rc|pre|dev|preview|nightly|post)[-.]?(\d{1,4})?|([ab])(\d{1,2}))(?!\w|\.\d)"
)


def say_versions(text: str) -> str:
    """`text` with early releases ("v1.2-beta.1"), and the numbers behind names of software, in
    words: "Python three point twelve", unlike the decimal 3.12."""
    text = _PRERELEASE.sub(_prerelease, text)
    return _RELEASE.sub(_release, text)


def _release(match: re.Match[str]) -> str:
    said = f"{match[1]} {cardinal(match[2])} point {cardinal(match[3])}"
    return said + (" plus" if match[4] else "")


def _prerelease(match: re.Match[str]) -> str:
    version = " point ".join(cardinal(part) for part in match[1].split("."))
    name, number = match[2] or match[4], match[3] or match[5]
    stage = {"rc": "R C", "a": "alpha", "b": "beta"}.get(name, name)
    said = f"{version} {stage}" + (f" {cardinal(number)}" if number else "")
    return f"version {said}" if match[0][0] in "vV" else said
