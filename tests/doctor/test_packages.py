"""Versions of packages against the pins."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from voicebot_local import paths
from voicebot_local.config import load_config
from voicebot_local.doctor.packages import (
    check_packages,
    extras_of,
    installed_version,
    judge,
    pins,
    requirements,
)

WANTED = [Requirement("numpy>=2.0"), Requirement("torch==2.13.0")]
PINNED = {"numpy": "2.4.6", "torch": "2.13.0", "unused": "1.0"}


def test_as_pinned() -> None:
    here = {"numpy": "2.4.6", "torch": "2.13.0+cpu"}
    found = judge(WANTED, PINNED, here.get, ["local"])
    assert (found.status, found.mend) == ("green", "")
    assert "2 packages as tested" in found.summary


def test_a_missing_package() -> None:
    found = judge(WANTED, PINNED, {"numpy": "2.4.6"}.get, ["local", "starter"])
    assert found.status == "red"
    assert "missing: torch" in found.summary
    assert found.mend == "scripts/setup.sh local starter --force"


def test_an_installed_program_is_mended_by_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "IS_CHECKOUT", False)
    found = judge(WANTED, PINNED, {}.get, ["starter", "hosted"])
    assert found.mend == 'pip install --upgrade "voicebot-local[hosted,starter]"'


def test_a_version_that_does_not_work() -> None:
    found = judge(WANTED, PINNED, {"numpy": "2.4.6", "torch": "2.14.0"}.get, ["local"])
    assert found.status == "red"
    assert "torch 2.14.0, not ==2.13.0" in found.summary


def test_a_version_that_nobody_has_tested() -> None:
    found = judge(WANTED, PINNED, {"numpy": "2.5.0", "torch": "2.13.0"}.get, ["local"])
    assert found.status == "yellow"
    assert "numpy 2.5.0, tested with 2.4.6" in found.summary


def test_many_are_not_all_listed() -> None:
    pinned = {f"p{n}": "1" for n in range(9)}
    found = judge([], pinned, lambda _: "2", ["local"])
    assert found.summary.endswith("and 6 more")


def test_what_a_configuration_needs() -> None:
    assert extras_of(load_config("starter")) == ("starter",)
    assert extras_of(load_config("local")) == ("local",)
    assert extras_of(load_config("hosted")) == ("hosted",)


def test_the_project_asks_for_what_it_pins() -> None:
    pinned = pins()
    names = [
        canonicalize_name(requirement.name)
        for requirement in requirements(["starter", "local", "hosted"])
    ]
    assert {"numpy", "transformers", "openai"} <= set(names)
    assert set(names) <= set(pinned)


def test_this_machine() -> None:
    found = check_packages(load_config("starter"))
    assert found.status in ("green", "yellow"), found
    assert installed_version("no-such-package") is None
