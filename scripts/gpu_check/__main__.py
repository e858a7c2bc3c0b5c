"""`python -m scripts.gpu_check`: see `scripts/gpu_check.sh`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from scripts.gpu_check.machine import file_name, gpu_name
from scripts.gpu_check.parts import parts
from scripts.gpu_check.results import Results, Values
from scripts.gpu_check.setting import Setting
from voicebot_local.paths import CHECKOUT

LIMIT_S = 570.0
"""Where a machine is lent for ten minutes at a time, this leaves some to write and to go."""
NO_GPU = "This machine has no NVIDIA GPU that can be used; --cpu tries the script on the processor."


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/gpu_check.sh",
        description="Check and measure the local stack on this machine's GPU.",
        epilog="Each item is written to the results as soon as it is known; a run that was cut or "
        "that is started again does what is missing. Nothing is downloaded.",
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="only these, and what they need")
    parser.add_argument("--list", action="store_true", help="say which parts there are, with items")
    parser.add_argument("--cpu", action="store_true", help="tiny models on the processor, no GPU")
    parser.add_argument("--again", action="store_true", help="measure what is known already, too")
    parser.add_argument("--limit-s", type=float, default=LIMIT_S, metavar="S", help="stop in time")
    parser.add_argument("--work", type=Path, default=CHECKOUT / ".cache" / "gpu-check")
    parser.add_argument("--out", type=Path, help="where results go; docs/measurements on a GPU")
    parser.add_argument("--one", nargs=2, metavar=("ITEM", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    setting = Setting(options.work.resolve(), options.cpu)
    if options.one:
        _one(setting, options.one[0], Path(options.one[1]))
        return
    known = parts(setting)
    if unknown := set(options.parts) - set(known):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; --list lists them")
    if options.list:
        for part, items in known.items():
            print(f"{part:14}{'; '.join(items)}")
        return
    name = "cpu" if options.cpu else file_name(gpu_name())
    if not name:
        print(NO_GPU, file=sys.stderr)
        raise SystemExit(3)
    default = options.work if options.cpu else CHECKOUT / "docs" / "measurements"
    results = Results(options.out or default, name, tiny=options.cpu)
    asked = set(options.parts or known) | {"environment"}
    needed = frozenset[str]().union(*(setting.needed_by(part) for part in asked - {"models"}))
    wanted = [
        f"{part}.{item}"
        for part, items in known.items()
        for item in items
        if part in asked or (part == "models" and item in needed)
    ]
    todo = [item for item in in_order(wanted) if options.again or not results.has(item)]
    raise SystemExit(_work_off(todo, setting, results, time.monotonic() + options.limit_s))


def in_order(items: list[str]) -> list[str]:
    """Machine and models, then the first item of every part, then what else there is of them."""
    firsts = {item.partition(".")[0]: item for item in reversed(items)}

    def place(item: str) -> int:
        part = item.partition(".")[0]
        return 0 if part in ("environment", "models") else 1 if firsts[part] == item else 2

    return sorted(items, key=place)


def _work_off(todo: list[str], setting: Setting, results: Results, until: float) -> int:
    """Do the items in order; 0 where all went well, 1 where one failed, 4 where time ran out."""
    failed = 0
    for number, item in enumerate(todo):
        print(f"{item} ...", end=" ", flush=True)
        began = time.monotonic()
        values = _in_a_process(item, setting, until - began)
        if values is None:
            left = len(todo) - number
            print(f"no time left; {left} item(s) are still to be done: start this again.")
            return 4
        results.put(item, values | {"took_s": round(time.monotonic() - began, 1)})
        failed += "error" in values
        print(values.get("error") or f"{time.monotonic() - began:.0f} s", flush=True)
    return int(failed > 0)


def _in_a_process(item: str, setting: Setting, left_s: float) -> Values | None:
    """What the item finds, or its error; None where there was not time enough."""
    file = setting.work / "one.json"
    file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "scripts.gpu_check", "--work", str(setting.work)]
    command += [*["--cpu"] * setting.tiny, "--one", item, str(file)]
    if left_s <= 0:
        return None
    with subprocess.Popen(
        command,
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            _, said = process.communicate(timeout=left_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return None
    if process.returncode or not file.exists():
        lines = said.strip().splitlines() or ["it said nothing"]
        return {"error": f"ended with {process.returncode}: {lines[-1][-600:]}"}
    return dict(json.loads(file.read_text("utf-8")))


def _end(process: subprocess.Popen[str]) -> None:
    """The item's process and whatever it has started, which are in a session of their own."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _one(setting: Setting, item: str, file: Path) -> None:
    """In the item's own process: do it, and write what it finds."""
    part, _, name = item.partition(".")
    file.write_text(json.dumps(parts(setting)[part][name]()), "utf-8")


if __name__ == "__main__":
    main()
