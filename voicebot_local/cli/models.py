"""`voicebot-local models`: what can be downloaded, getting it, checking it, removing it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from voicebot_local import paths
from voicebot_local.calling import called_as
from voicebot_local.cli import EXIT_INTERRUPTED
from voicebot_local.cli.lazy import OneCommand, plain_app
from voicebot_local.cli.model_progress import bars, download_progress, megabytes, short
from voicebot_local.errors import ConfigError, ModelError
from voicebot_local.models.check import Checked, verify
from voicebot_local.models.download import (
    Needs,
    OneAtATime,
    download,
    look_up,
    missing_of,
    require_room,
)
from voicebot_local.models.fetch import parts
from voicebot_local.models.hub import Hub
from voicebot_local.models.licences import read_agreements, record
from voicebot_local.models.lock import read_lock, write_lock
from voicebot_local.models.manifest import Manifest, Model, read_manifest
from voicebot_local.models.mirror import Mirror
from voicebot_local.models.source import RemoteFile, Source

DEFAULT_PROFILE = "local"

app = plain_app(help="What can be downloaded: list it, get it, check it, remove it.")

Names = Annotated[list[str] | None, typer.Argument(metavar="NAME...", show_default=False)]


@app.command("list", cls=OneCommand)
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a model.")] = False,
) -> None:
    """Show what there is, and what is here."""
    root = paths.models_dir()
    manifest = read_manifest()
    states = {model.name: state(model, root) for model in manifest.model}
    if as_json:
        for model in manifest.model:
            print(json.dumps(model.model_dump() | {"here": states[model.name]}))
        return
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, show_edge=False)
    for title, right in (("name", 0), ("role", 0), ("GB", 1), ("GPU GiB", 1), ("here", 0)):
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    table.add_column("profiles", overflow="fold")
    for model in manifest.model:
        size = f"{model.size_gb:.2f}"
        vram = f"{model.vram_gib:.1f}" if model.vram_gib else "–"
        used = ", ".join(model.profiles) or "–"
        table.add_row(model.name, model.role, size, vram, states[model.name], used)
    console.print(table)
    console.print()
    for model in manifest.model:
        agree = ", asks for your agreement" if model.agree else ""
        console.print(
            f"{model.name}: {model.languages}; {model.note}. {model.licence}{agree}.", markup=False
        )
    console.print(f"\nThey lie in {root}. Get what a profile needs, or one by name:", markup=False)
    console.print(f"  {called_as()} models download --profile local", markup=False, soft_wrap=True)


@app.command("download", cls=OneCommand)
def download_(
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


@app.command("verify", cls=OneCommand)
def verify_(
    name: Names = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a file.")] = False,
) -> None:
    """Read every downloaded file and compare its checksum. Exits with 1 if one is damaged."""
    root = paths.models_dir()
    manifest = read_manifest()
    models = manifest.by_name(name) if name else manifest.model
    lock = read_lock(root).files
    console = Console(highlight=False, stderr=True)
    results: list[Checked] = []
    with bars(console) as progress:
        here = [path for model in models for path in model.paths if (root / path).is_file()]
        total = sum((root / path).stat().st_size for path in here)
        task = progress.add_task(short("checking"), total=total)

        def on_bytes(path: str, count: int) -> None:
            progress.update(task, advance=count, description=short(path.rpartition("/")[2]))

        results = list(verify(models, root, on_bytes))
        progress.update(task, visible=False)
    if not results:
        asked = ", ".join(name) if name else "No model"
        raise ModelError(
            f"{asked} is not here: nothing was downloaded to {root}.",
            f"Get it: {called_as()} models download {' '.join(name or ())}".rstrip(),
        )
    for each in results:
        if as_json:
            known = lock.get(each.path)
            row = {"model": each.model.name, "file": each.path, "state": each.state}
            print(json.dumps(row | {"why": each.why, "sha256": known.sha256 if known else ""}))
        else:
            print(f"{each.state:<8} {each.path}" + (f": {each.why}" if each.why else ""))
    if bad := [each for each in results if each.state in ("damaged", "missing")]:
        names = " ".join(dict.fromkeys(each.model.name for each in bad))
        raise ModelError(
            f"{len(bad)} of {len(results)} files are damaged or missing.",
            f"Get them anew: {called_as()} models download --again {names}",
        )
    if unknown := [each for each in results if each.state == "unknown"]:
        names = " ".join(dict.fromkeys(each.model.name for each in unknown))
        print(
            f"Nobody has recorded the checksums of {len(unknown)} files. To hold them against the "
            f"hub: {called_as()} models download {names}"
        )


@app.command("remove", cls=OneCommand)
def remove(
    name: Annotated[list[str], typer.Argument(metavar="NAME...", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete the files of models. They can be downloaded again."""
    root = paths.models_dir()
    for model in read_manifest().by_name(name):
        files = [root / path for path in model.paths if (root / path).is_file()]
        if not files:
            for part in parts(model, root):
                part.unlink()
            print(f"{model.name}: not here")
            continue
        size = sum(file.stat().st_size for file in files)
        if not yes:
            used = f" (used by {', '.join(model.profiles)})" if model.profiles else ""
            question = f"Delete {model.name}{used}, {megabytes(size)} in {len(files)} files?"
            if not ask(question, f"{called_as()} models remove --yes {model.name}"):
                print(f"{model.name}: kept")
                continue
        for file in (*files, *parts(model, root)):
            file.unlink()
        directory = root / model.directory
        if model.directory and not any(directory.iterdir()):
            directory.rmdir()
        write_lock(root, read_lock(root).without(model.name))
        print(f"{model.name}: removed, {megabytes(size)} freed")


@app.command("licences", cls=OneCommand)
def licences(name: Names = None) -> None:
    """Show licences, and when you agreed; by NAME with the terms."""
    root = paths.models_dir()
    manifest = read_manifest()
    agreements = read_agreements(root)
    for model in manifest.by_name(name) if name else manifest.model:
        said = agreements.agreed.get(model.name)
        agreed = f"agreed on {said.date} ({said.how})" if said and agreements.covers(model) else ""
        wanted = agreed or ("wants your agreement" if model.agree else "no agreement needed")
        print(f"{model.name}: {model.licence}; {wanted}\n  {model.licence_url}")
        if name:
            texts = [root / path for path in model.paths if "licen" in path.lower()]
            for text in texts:
                if text.is_file():
                    print(f"\n{text.read_text('utf-8', 'replace').strip()}\n")
            if model.terms and not any(text.is_file() for text in texts):
                print(f"\n{model.terms.strip()}\n")


def choose(manifest: Manifest, names: Sequence[str], profile: str | None) -> tuple[Model, ...]:
    """The models by name, and those of a profile. Raises ConfigError."""
    chosen = list(manifest.by_name(names))
    if profile is not None or not names:
        chosen += manifest.of_profile(profile or DEFAULT_PROFILE)
    return tuple({model.name: model for model in chosen}.values())


def state(model: Model, root: Path) -> str:
    """Whether a model is here: "yes", "no", or "in part"."""
    here = [path for path in model.paths if (root / path).is_file()]
    if len(here) == len(model.paths):
        return "yes" if not missing_of([model], root) else "unchecked"
    return "in part" if here else "no"


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


def ask(question: str, without: str) -> bool:
    """Ask at the terminal; no is the default. Raises ConfigError where there is no terminal, with
    the command that needs none."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} Nobody can be asked here.", f"If so: {without}")
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")


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
