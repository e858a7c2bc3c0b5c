"""`voicebot-local models download`: get models, and have their licences agreed to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from voicebot_local import paths
from voicebot_local.calling import called_as
from voicebot_local.cli import EXIT_INTERRUPTED
from voicebot_local.cli.asking import ask
from voicebot_local.cli.model_progress import download_progress, megabytes
from voicebot_local.errors import ModelError
from voicebot_local.models.download import (
    Needs,
    OneAtATime,
    download,
    look_up,
    missing_of,
    require_room,
)
from voicebot_local.models.hub import Hub
from voicebot_local.models.licences import read_agreements, record
from voicebot_local.models.lock import read_lock
from voicebot_local.models.manifest import Manifest, Model, read_manifest
from voicebot_local.models.mirror import Mirror
from voicebot_local.models.source import RemoteFile, Source

DEFAULT_PROFILE = "local"

Names = Annotated[list[str] | None, typer.Argument(metavar="NAME...", show_default=False)]


def download_models(
    name: Names = None,
    profile: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What this profile needs: local (default), local-12gb."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="Copy from this directory instead of the hub: one like models/ elsewhere, or with "
            "OWNER/REPOSITORY/FILE.",
        ),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Agree to the licence of this model, which you have read."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be downloaded.")
    ] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Take the newest, not what was downloaded before.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Fetch it although it is here, as when it is damaged.")
    ] = False,
) -> None:
    """Download models, by name or all that a profile needs. What is here stays; what was
    interrupted goes on. HF_TOKEN, HF_ENDPOINT and HTTPS_PROXY are respected."""
    console = Console(highlight=False)
    root = paths.models_dir()
    manifest = read_manifest()
    manifest.by_name(accept or ())
    chosen = choose(manifest, name or (), profile)
    with ExitStack() as held:
        if not dry_run:
            held.enter_context(
                OneAtATime(root, lambda: console.print("Another download is running; waiting."))
            )
        wanted = chosen if update or again else missing_of(chosen, root)
        for model in chosen:
            if model not in wanted:
                console.print(f"{model.name}: already here", markup=False)
        if not wanted:
            return
        place: Source = Mirror(source, read_lock(root)) if source else Hub()
        if not dry_run:
            agree_to(wanted, root, accept or (), console)
        needs = look_up(wanted, place, root, update=update, again=again)
        show(needs, wanted, root, console)
        require_room(needs, root)
        if dry_run:
            console.print("Nothing was downloaded (--dry-run).")
            return
        fetch(needs.files, place, root, console)
    if any(model.profiles for model in chosen):
        console.print(f"\nNext: {called_as()} doctor, then {called_as()} run", markup=False)


def choose(manifest: Manifest, names: Sequence[str], profile: str | None) -> tuple[Model, ...]:
    """The models by name, and those of a profile. Raises ConfigError."""
    chosen = list(manifest.by_name(names))
    if profile is not None or not names:
        chosen += manifest.of_profile(profile or DEFAULT_PROFILE)
    return tuple({model.name: model for model in chosen}.values())


def agree_to(
    wanted: Sequence[Model], root: Path, accepted: Sequence[str], console: Console
) -> None:
    """Have every licence agreed to that wants it. Raises ModelError where one is not."""
    agreements = read_agreements(root)
    open_ = [model for model in wanted if not agreements.covers(model)]
    command = f"{called_as()} models download " + " ".join(f"--accept {m.name}" for m in open_)
    for model in open_:
        console.print(f"\n[bold]{escape(model.name)}: {escape(model.licence)}[/bold]")
        console.print(model.terms.strip(), markup=False)
        console.print(f"Read it: {model.licence_url}", markup=False, soft_wrap=True)
        how = "--accept"
        if model.name not in accepted:
            how = "asked"
            if not ask("Do you agree to it?", command):
                raise ModelError(
                    f"Nothing was downloaded: {model.name} needs your agreement to its licence.",
                    f"Without it: --backend starter, or another of `{called_as()} models list`.",
                )
        record(root, model, datetime.now(UTC).date().isoformat(), how)
        console.print(f"Agreed ({how}); kept in {root / 'licences.json'}.", markup=False)


def show(needs: Needs, wanted: Sequence[Model], root: Path, console: Console) -> None:
    """Say what is to come."""
    for model in wanted:
        files = [file for file in needs.files if file.model == model]
        size = sum(file.size for file in files)
        if not files:
            console.print(f"{model.name}: already here", markup=False)
            continue
        count = f"{len(files)} file{'s' * (len(files) > 1)}"
        console.print(
            f"{model.name}: {megabytes(size)} in {count} from {model.repo} ({model.licence})",
            markup=False,
        )
    if needs.files:
        console.print(f"{megabytes(needs.size)} in all, to {root}", markup=False)


def fetch(files: Sequence[RemoteFile], source: Source, root: Path, console: Console) -> None:
    """Download with its progress shown; Ctrl-C ends it with a word."""
    try:
        with download_progress(console, files) as progress:
            download(files, source, root, progress)
    except KeyboardInterrupt:
        print("Stopped. The same command goes on from here.", file=sys.stderr)
        raise typer.Exit(EXIT_INTERRUPTED) from None
