"""What a bench found, as plain data that goes to a file and comes back."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from voicebot_local.bench.words import WordErrors
from voicebot_local.errors import InputError

VERSION = 1


@dataclass(frozen=True, slots=True)
class TurnResult:
    """One recorded turn that was played to a stack.

    `voice_to_voice_ms` is read off the recording; None where there was no reply, or one that began
    before the user was done (`cut_off`). `cold`: the first turn after the models were loaded.
    `stages_ms` are the event log's. `transcript` is what the stack understood. `commit_ms` runs
    from the decision that the turn is over to the first audible sample; `drafts` replies were
    prepared before it, and `draft_right` says that the last of them was the reply.
    """

    stack: str
    repeat: int
    turn: str
    cold: bool
    voice_to_voice_ms: float | None
    cut_off: bool
    answered: bool
    stages_ms: dict[str, float | None] = field(default_factory=dict)
    transcript: str = ""
    word_errors: WordErrors | None = None
    commit_ms: float | None = None
    drafts: int = 0
    draft_right: bool = False


@dataclass(frozen=True, slots=True)
class BargeInResult:
    """A turn that was spoken over a reply: from its first sample to silence.

    `stopped`: the log says that the reply was stopped for it; else it ended by itself.
    """

    stack: str
    repeat: int
    turn: str
    reaction_ms: float
    stopped: bool


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """One process of a session: CPU seconds while models were loaded and afterwards; peak RSS."""

    load_cpu_s: float
    cpu_s: float
    peak_rss_bytes: int


@dataclass(frozen=True, slots=True)
class SessionResult:
    """One run of the program.

    `spoken_over`: the session was made to measure barge-in. `real_time_factors`: device seconds for
    a second of sound, by tenant. `overlap_ms`: chat model and synthesizer computing at once.
    `wasted_ms`: work on replies that were taken back. `underruns` is None where there is no log.
    `false_interruptions`: replies that were stopped although nobody spoke over them. `cost_usd` is
    None where nothing says what it costs.
    """

    stack: str
    repeat: int
    spoken_over: bool
    duration_s: float
    processes: dict[str, ProcessUse]
    vram_bytes: int | None
    load_s: dict[str, float]
    real_time_factors: dict[str, float]
    tokens_per_s: float | None
    measured_steps: bool
    overlap_ms: float
    wasted_ms: float
    underruns: int | None
    underrun_ms: float
    false_interruptions: int
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class StackInfo:
    """A stack: what it is made of, and what of a conversation leaves the machine."""

    name: str
    backend: str
    config: str
    providers: dict[str, str]
    leaves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Results:
    """All of one bench. `source`: where the turns came from."""

    version: int
    when: str
    machine: dict[str, str]
    source: str
    pace: str
    repeat: int
    stacks: tuple[StackInfo, ...]
    turns: tuple[TurnResult, ...]
    barge_ins: tuple[BargeInResult, ...] = ()
    sessions: tuple[SessionResult, ...] = ()

    def turns_of(self, stack: str) -> list[TurnResult]:
        """The turns that were played to one stack."""
        return [turn for turn in self.turns if turn.stack == stack]


def results_json(results: Results) -> dict[str, Any]:
    """The results as JSON values."""
    return dataclasses.asdict(results)


def read_results(path: Path) -> Results:
    """The results that `bench --json FILE` wrote. Raises InputError where it holds none."""
    mend = "Write one with `voicebot-local bench --json FILE`."
    try:
        values = json.loads(path.read_text("utf-8"))
        values.pop("summaries", None)
        values.pop("comparison", None)
        results = TypeAdapter(Results).validate_python(values)
    except OSError as error:
        raise InputError(f"The baseline {path} cannot be read: {error.strerror}.", mend) from error
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{path} holds no results of a bench.", mend) from error
    if results.version != VERSION:
        raise InputError(
            f"{path} was written by another version of bench ({results.version}, not {VERSION}).",
            mend,
        )
    return results
