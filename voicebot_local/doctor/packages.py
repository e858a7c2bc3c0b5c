"""Python and the installed packages, against what the project was tested with."""

from __future__ import annotations

import platform
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version

from voicebot_local import paths
from voicebot_local.config import Config
from voicebot_local.doctor.result import Result
from voicebot_local.providers.hosted import HostedConfig

PACKAGE = "voicebot-local"
_STARTER = ("pocketsphinx", "espeak")
_MOST_NAMED = 3

Installed = Callable[[str], str | None]
"""The version of a package that is installed, None where it is not."""


def check_packages(config: Config) -> Result:
    """See `judge`; of this machine."""
    extras = extras_of(config)
    return judge(requirements(extras), pins(), installed_version, extras)


def judge(
    wanted: Iterable[Requirement],
    pinned: Mapping[str, str],
    installed: Installed,
    extras: Iterable[str],
) -> Result:
    """Red where a package that is `wanted` is missing or of a version that does not work; yellow
    where versions differ from those that were tested together (`pinned`)."""
    said = f"Python {platform.python_version()}"
    mend = _install(sorted(extras))
    missing, wrong = [], []
    for requirement in wanted:
        version = installed(requirement.name)
        if version is None:
            missing.append(requirement.name)
        elif not requirement.specifier.contains(Version(version).public, prereleases=True):
            wrong.append(f"{requirement.name} {version}, not {requirement.specifier}")
    here = {name: version for name in pinned if (version := installed(name)) is not None}
    other = [
        f"{name} {version}, tested with {pinned[name]}"
        for name, version in here.items()
        if Version(version).public != pinned[name]
    ]
    details = {"missing": missing, "wrong": wrong, "different": other, "packages": len(here)}
    if missing:
        return Result("packages", "red", f"{said}; missing: {_some(missing)}", mend, details)
    if wrong:
        return Result("packages", "red", f"{said}; {_some(wrong)}", mend, details)
    if other:
        return Result("packages", "yellow", f"{said}; {_some(other)}", mend, details)
    return Result("packages", "green", f"{said}, {len(here)} packages as tested", "", details)


def extras_of(config: Config) -> tuple[str, ...]:
    """The extras of the package that a configuration needs."""
    sections = (config.recognizer, config.chat, config.synthesizer)
    hosted = {"hosted" for section in sections if isinstance(section, HostedConfig)}
    local = [section.provider for section in sections if not isinstance(section, HostedConfig)]
    if not local:
        return tuple(hosted)
    starter = config.backend == "starter" or any(name in _STARTER for name in local)
    heavy = any(name in ("nemo", "xtts") for name in local)
    kinds = {"starter"} if starter and not heavy else {"local"}
    return tuple(sorted(hosted | kinds | ({"starter"} if starter else set())))


def requirements(extras: Iterable[str]) -> list[Requirement]:
    """What the package asks for with these extras, as far as it concerns this machine."""
    lines: list[tuple[str, str]] = []
    if paths.IS_CHECKOUT:
        project = tomllib.loads((paths.CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
        lines = [(line, "") for line in project["dependencies"]]
        for extra in extras:
            lines += [(line, extra) for line in project["optional-dependencies"][extra]]
    else:
        lines = [
            (line, extra) for line in metadata.requires(PACKAGE) or () for extra in ("", *extras)
        ]
    found: dict[str, Requirement] = {}
    for line, extra in lines:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            found[requirement.name] = requirement
    return list(found.values())


def pins() -> dict[str, str]:
    """The versions that were tested together."""
    file = paths.CARRIED / "constraints.txt"
    lines = file.read_text("utf-8").splitlines()
    return dict(
        line.split("==", 1) for line in lines if re.match(r"[a-z0-9-]+==", line, re.IGNORECASE)
    )


def installed_version(name: str) -> str | None:
    """See `Installed`."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _install(extras: list[str]) -> str:
    if paths.IS_CHECKOUT:
        return f"scripts/setup.sh {' '.join(extras)} --force"
    return f'pip install --upgrade "{PACKAGE}[{",".join(extras)}]"'


def _some(names: list[str]) -> str:
    rest = len(names) - _MOST_NAMED
    return "; ".join(names[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
