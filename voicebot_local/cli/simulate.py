"""`voicebot-local simulate`: conversations on one card, by the policy that decides who computes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from voicebot_local.errors import ConfigError
from voicebot_local.gpu import simulate as simulation
from voicebot_local.gpu.conversation import Costs
from voicebot_local.gpu.costs import read_costs, shipped_costs
from voicebot_local.gpu.plots import draw_conversations
from voicebot_local.gpu.queue import Policy
from voicebot_local.gpu.simulate import (
    GOOD_FIRST_AUDIO_S,
    GOOD_STALLED_SHARE,
    MOST_CONVERSATIONS,
    Outcome,
    conversations_held,
)


def simulate(
    costs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What steps cost: TOML like the one that is shipped, or the event log of a "
            "conversation.",
        ),
    ] = None,
    card: Annotated[str, typer.Option(help="A card of the costs, or all.")] = "all",
    policy: Annotated[
        str, typer.Option(help="Who goes next: slack, fifo, exclusive.")
    ] = "slack,fifo,exclusive",
    conversations: Annotated[str, typer.Option(help="How many at once.")] = "1,2,4,8",
    seconds: Annotated[
        float, typer.Option(min=1, max=36_000, help="How long they talk, in their own time.")
    ] = 300.0,
    seed: Annotated[int, typer.Option(help="Other users.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object; times in seconds.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it as a picture (png, svg).")
    ] = None,
) -> None:
    """Simulate conversations that share one card: when are replies heard, under which policy?

    The program's own policy decides, under a virtual clock; what steps cost is assumed or measured.
    """
    cards = _cards(costs, card)
    policies = [_policy(name) for name in _split("--policy", policy)]
    numbers = [_number(name) for name in _split("--conversations", conversations)]
    runs = Runs(cards, seconds, seed)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(cards) * len(policies) * (len(numbers) + 1))
        outcomes: list[tuple[str, Outcome]] = []
        held: dict[tuple[str, Policy], int] = {}
        for name in cards:
            for one in policies:
                for number in numbers:
                    progress.update(task, description=f"{name} {one} {number}", advance=1)
                    outcomes.append((name, runs.run(name, one, number)))
                progress.update(task, description=f"{name} {one}: how many", advance=1)
                held[name, one] = runs.held(name, one)
    if plot is not None:
        draw_conversations(outcomes, plot)
    if as_json:
        print(json.dumps(_json(outcomes, held, seconds, seed)))
        return
    for name in cards:
        _show(name, [outcome for card_, outcome in outcomes if card_ == name], held, seconds)


class Runs:
    """Simulations that were made are not made again."""

    def __init__(self, cards: dict[str, Costs], seconds: float, seed: int) -> None:
        self._cards = cards
        self._seconds = seconds
        self._seed = seed
        self._made: dict[tuple[str, Policy, int], Outcome] = {}

    def run(self, card: str, policy: Policy, number: int) -> Outcome:
        key = (card, policy, number)
        if key not in self._made:
            costs = self._cards[card]
            self._made[key] = simulation.simulate(
                costs, policy, number, seconds=self._seconds, seed=self._seed
            )
        return self._made[key]

    def held(self, card: str, policy: Policy) -> int:
        return conversations_held(lambda number: self.run(card, policy, number))


def _cards(costs: Path | None, card: str) -> dict[str, Costs]:
    cards = read_costs(costs) if costs is not None else shipped_costs()
    if card == "all":
        return cards
    if card not in cards:
        raise ConfigError(f"There are no costs for {card!r}.", f"Give all or {', '.join(cards)}.")
    return {card: cards[card]}


def _split(option: str, text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise ConfigError(f"{option} is empty.", "Name one or more, with commas between them.")
    return names


def _policy(name: str) -> Policy:
    if name not in get_args(Policy):
        raise ConfigError(
            f"There is no policy {name!r}.", f"Give some of {', '.join(get_args(Policy))}."
        )
    return cast(Policy, name)


def _number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_CONVERSATIONS:
        raise ConfigError(
            f"{text!r} is no number of conversations.", f"Give 1 to {MOST_CONVERSATIONS}."
        )
    return int(text)


def _json(
    outcomes: Iterable[tuple[str, Outcome]],
    held: dict[tuple[str, Policy], int],
    seconds: float,
    seed: int,
) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "seed": seed,
        "outcomes": [
            {"card": card} | {k: None if v != v else v for k, v in asdict(outcome).items()}
            for card, outcome in outcomes
        ],
        "held": [
            {"card": card, "policy": policy, "conversations": number}
            for (card, policy), number in held.items()
        ],
    }


def _show(
    card: str, outcomes: list[Outcome], held: dict[tuple[str, Policy], int], seconds: float
) -> None:
    console = Console(highlight=False)
    table = Table(
        title=f"{card}: {seconds:g} s, from the end of a turn to its first audio",
        title_justify="left",
    )
    table.add_column("talks", justify="right")
    table.add_column("policy", no_wrap=True)
    for name in ("p50", "p95", "gaps in", "silence", "asr p95"):
        table.add_column(name, justify="right")
    table.add_column("busy", justify="right")
    for outcome in sorted(outcomes, key=lambda outcome: outcome.conversations):
        table.add_row(
            str(outcome.conversations),
            outcome.policy,
            f"{outcome.first_audio_p50_s * 1000:.0f} ms",
            f"{outcome.first_audio_p95_s * 1000:.0f} ms",
            f"{outcome.stalled_turns}/{outcome.turns}",
            f"{outcome.underrun_s:.1f} s",
            f"{outcome.asr_delay_p95_s * 1000:.0f} ms",
            f"{outcome.busy:.0%}",
        )
    console.print(table)
    found = {(outcome.policy, outcome.conversations): outcome for outcome in outcomes}
    slack, fifo = found.get(("slack", 2)), found.get(("fifo", 2))
    if slack and fifo and slack.turns and fifo.turns:
        ratio = slack.first_audio_p95_s / fifo.first_audio_p95_s
        console.print(f"two conversations: slack's p95 is {ratio:.2f} of fifo's")
    numbers = ", ".join(
        f"{policy} {number}" for (name, policy), number in held.items() if name == card
    )
    console.print(
        f"conversations that this card holds: {numbers} "
        f"(p95 of first audio at most {GOOD_FIRST_AUDIO_S * 1000:.0f} ms, gaps in less than "
        f"{GOOD_STALLED_SHARE:.0%} of turns)\n"
    )
