"""Download the models of a profile into `models/`, as `models/manifest.toml` describes them.

Started by `download_models.sh`. An interrupted download goes on where it stopped, and a file that
is there already is not fetched again. Nothing is downloaded whose licence wants agreement before
the user has agreed, at the terminal or with `--agree NAME`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

ROOT = Path(__file__).resolve().parent.parent
Model = dict[str, Any]


def main() -> int:
    arguments = parse()
    models: list[Model] = tomllib.loads((arguments.models / "manifest.toml").read_text())["model"]
    if arguments.list:
        for model in models:
            describe(model)
        return 0
    chosen = choose(models, arguments.name, arguments.profile)
    wanted = [model for model in chosen if missing(model, arguments.models)]
    for model in chosen:
        if model not in wanted:
            print(f"{model['name']}: already here")
    if not wanted:
        return 0
    for model in wanted:
        describe(model)
    gigabytes = sum(model["size_gb"] for model in wanted)
    free = shutil.disk_usage(arguments.models).free / 1e9
    if free < gigabytes * 1.05:
        sys.exit(f"download: {gigabytes:.1f} GB are needed and {free:.1f} GB are free on this disk")
    for model in wanted:
        if model["agree"] and model["name"] not in arguments.agree and not agrees(model):
            sys.exit(f"download: nothing was downloaded; {model['name']} needs your agreement")
    for model in wanted:
        fetch(model, arguments.models)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="download_models.sh", description=__doc__)
    parser.add_argument("name", nargs="*", help="models by name; else those of the profile")
    parser.add_argument("--profile", default="local", help="local (default) or local-12gb")
    parser.add_argument("--list", action="store_true", help="show what there is, download nothing")
    parser.add_argument(
        "--agree", action="append", default=[], metavar="NAME", help="agree to a model's licence"
    )
    parser.add_argument("--models", type=Path, default=ROOT / "models", help="where they go")
    return parser.parse_args()


def choose(models: list[Model], names: list[str], profile: str) -> list[Model]:
    """The models by name, or those of the profile. Ends the program where there is none."""
    unknown = set(names) - {model["name"] for model in models}
    if unknown:
        known = ", ".join(model["name"] for model in models)
        sys.exit(f"download: there is no model {', '.join(unknown)}; there are: {known}")
    chosen = [m for m in models if (m["name"] in names if names else profile in m["profiles"])]
    if not chosen:
        sys.exit(f"download: no model belongs to profile {profile!r}; say local or local-12gb")
    return chosen


def describe(model: Model) -> None:
    print(f"{model['name']:<24} {model['role']:<12} {model['size_gb']:5.2f} GB  {model['note']}")
    print(f"{'':<24} from {model['repo']}, {model['licence']}\n{'':<24} {model['licence_url']}")


def missing(model: Model, root: Path) -> list[str]:
    return [name for name in model["files"] if not (root / model["directory"] / name).is_file()]


def agrees(model: Model) -> bool:
    if not sys.stdin.isatty():
        print(f"To agree without a terminal: --agree {model['name']}", file=sys.stderr)
        return False
    print(f"\n{model['name']}: {model['licence']}\nRead it: {model['licence_url']}")
    return input("Do you agree to it? [y/N] ").strip().lower() in ("y", "yes")


def fetch(model: Model, root: Path) -> None:
    """Download what is missing of `model`; a file of the wrong content is removed again."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    place = root / model["directory"]
    for name in missing(model, root):
        print(f"{model['name']}: {name}", flush=True)
        try:
            hf_hub_download(model["repo"], name, revision=model["revision"], local_dir=place)
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            sys.exit(f"download: {name} failed: {reason}\nRun this again; it goes on from here.")
        expected = model.get("sha256", {}).get(name)
        if expected and digest(place / name) != expected:
            (place / name).unlink()
            sys.exit(f"download: {name} arrived damaged and was removed; run this again")


def digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\ndownload: stopped; run this again and it goes on from here", file=sys.stderr)
        sys.exit(130)
