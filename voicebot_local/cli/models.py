"""`voicebot-local models`: what can be downloaded, getting it, checking it, removing it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from voicebot_local import paths
from voicebot_local.calling import called_as
from voicebot_local.cli.asking import ask
from voicebot_local.cli.lazy import OneCommand, plain_app
from voicebot_local.cli.model_progress import bars, megabytes, short
from voicebot_local.cli.models_download import Names, download_models
from voicebot_local.errors import ModelError
from voicebot_local.models.check import Checked, verify
from voicebot_local.models.download import missing_of
from voicebot_local.models.fetch import parts
from voicebot_local.models.licences import read_agreements
from voicebot_local.models.lock import read_lock, write_lock
from voicebot_local.models.manifest import Model, read_manifest

app = plain_app(help="What can be downloaded: list it, get it, check it, remove it.")


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


app.command("download", cls=OneCommand)(download_models)


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


def state(model: Model, root: Path) -> str:
    """Whether a model is here: "yes", "no", or "in part"."""
    here = [path for path in model.paths if (root / path).is_file()]
    if len(here) == len(model.paths):
        return "yes" if not missing_of([model], root) else "unchecked"
    return "in part" if here else "no"
