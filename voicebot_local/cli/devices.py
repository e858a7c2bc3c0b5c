"""`voicebot-local devices`: microphones and loudspeakers, and a test of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from voicebot_local.audio.device_card import DeviceCard
from voicebot_local.audio.devices import (
    RECORDINGS,
    Device,
    Direction,
    list_devices,
    load_portaudio,
    supported_rates,
)
from voicebot_local.cli.options import device
from voicebot_local.stages.device_test import RECORD_S, record_and_play, verdict
from voicebot_local.stages.one import until_stopped

BAR_CELLS = 24
EXAMPLES = """
Examples:
  voicebot-local devices --test                        those that run would take
  voicebot-local devices --test --input-device usb
"""


def devices(
    test: Annotated[
        bool, typer.Option("--test", help="Record three seconds and play them back.")
    ] = False,
    input_device: Annotated[
        str | None, typer.Option(metavar="NAME|NUMBER", help="The microphone to test.")
    ] = None,
    output_device: Annotated[
        str | None, typer.Option(metavar="NAME|NUMBER", help="The loudspeaker to test.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array of devices.")] = False,
) -> None:
    """List microphones and loudspeakers: number, name, sound system, channels, sample rates.

    A star marks what `run` takes where none is named. Numbers change when devices are plugged in;
    a part of a name is safer in a configuration.
    """
    if test:
        _test(device(input_device), device(output_device))
        return
    portaudio = load_portaudio()
    found = list_devices(portaudio)
    rates = {
        (each.index, direction): supported_rates(portaudio, each, direction)
        for each in found
        for direction in _directions(each)
    }
    if as_json:
        print(json.dumps([_as_json(each, rates) for each in found], ensure_ascii=False, indent=1))
    elif found:
        Console().print(_table(found, rates))
        print("* what `run` takes unless a device is named; rates in kHz")
    else:
        print(f"This machine has no sound device. {RECORDINGS}")


Rates = dict[tuple[int, Direction], list[int]]


def _directions(each: Device) -> list[Direction]:
    both: list[Direction] = ["input", "output"]
    return [direction for direction in both if each.channels(direction)]


def _as_json(each: Device, rates: Rates) -> dict[str, object]:
    found: dict[str, object] = asdict(each)
    found["input_rates"] = rates.get((each.index, "input"), [])
    found["output_rates"] = rates.get((each.index, "output"), [])
    return found


def _table(found: list[Device], rates: Rates) -> Table:
    table = Table(pad_edge=False, box=None, header_style="bold")
    for heading in ("", "device", "system", "microphone", "loudspeaker"):
        table.add_column(heading, justify="left" if heading else "right")
    for each in found:
        cells = []
        for direction in ("input", "output"):
            cells.append(_cell(each, direction, rates))
        table.add_row(str(each.index), each.name, each.system, *cells)
    return table


def _cell(each: Device, direction: Direction, rates: Rates) -> Text:
    channels = each.channels(direction)
    if not channels:
        return Text("–", "dim")
    mine = rates[each.index, direction]
    usual = [rate for rate in mine if rate in (48_000, 44_100, 16_000)] or mine
    text = ", ".join(f"{rate / 1000:g}" for rate in usual) or "cannot be opened"
    star = "* " if each.is_default(direction) else "  "
    return Text(f"{star}{channels} ch, {text}", "green" if star.strip() else "")


def _test(input_device: int | str | None, output_device: int | str | None) -> None:
    card = DeviceCard(input_device, output_device)
    console = Console()
    console.print(Text(f"{card.name}, at {card.rate} Hz. Say something for {RECORD_S:g} seconds."))

    async def work() -> None:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            shown = -1

            def show(what: str, share: float, dbfs: float) -> None:
                nonlocal shown
                if (now := round(share * 30)) == shown:
                    return
                shown = now
                cells = round(min(1.0, max(0.0, 1 + dbfs / 60)) * BAR_CELLS)
                bar = "█" * cells + "░" * (BAR_CELLS - cells)
                live.update(Text(f"● {what:<9} {bar} {dbfs:4.0f} dBFS"), refresh=True)

            recorded = await record_and_play(card, show)
        console.print(Text(verdict(recorded, card.rate)))

    until_stopped(work)
