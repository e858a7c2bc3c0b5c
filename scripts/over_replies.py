"""Measure what makes a reply stop: sounds over replies, in real time, on the starter stack.

    python -m scripts.over_replies [--voices en-us+m1 ...] [--keep DIR]

Over each reply one sound is played: signs of listening and interruptions spoken by espeak-ng, and
bursts like coughs. It prints for each kind how many of them made the reply stop, and how soon after
the sound's first audible sample the loudspeaker was silent.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from scripts.make_fixtures.spoken import spoken
from scripts.make_fixtures.starter_accuracy import noises
from voicebot_local import paths
from voicebot_local.audio.level import LevelMeter
from voicebot_local.audio.recording import Recording
from voicebot_local.events import ReplyPaused, ReplyResumed, ReplyStopped, SessionStarted
from voicebot_local.events.file import read_events
from voicebot_local.providers.base import RECOGNIZER_RATE as RATE
from voicebot_local.providers.base import Samples

VOICES = ("en-us+m3", "en-us+f2", "en-gb+m1")
LISTENING = ("mm hmm", "uh huh", "yeah", "right", "okay", "oh yes", "i see")
INTERRUPTING = ("stop", "wait a moment", "no", "what about the weather", "tell me another one")
ASKED = ("02-what-can-you-do.wav", "03-joke-48k-stereo.wav", "04-another-joke.wav")
"""Recordings with long answers."""
GAP_S = 1.6
"""From the question's last audible sample to the sound's first."""
TAIL_S = 2.5
SILENT_S = 0.15
"""A reply that is not audible for so long is silent; words have shorter gaps."""


@dataclass(frozen=True)
class Over:
    """A sound that is played over a reply; `begins` and `ends` are its audible samples."""

    kind: str
    text: str
    samples: Samples
    begins: int
    ends: int


def sounds(voices: list[str]) -> Iterator[Over]:
    """All of them."""
    for voice in voices:
        for kind, texts in (("listening", LISTENING), ("interrupting", INTERRUPTING)):
            for text in texts:
                yield _over(kind, text, spoken(text, voice, RATE))
    for number, noise in enumerate(noises(1.2)):
        if number % 5 == 4:
            yield _over("coughing", "cough", noise)


def _over(kind: str, text: str, samples: Samples) -> Over:
    meter = LevelMeter(RATE)
    meter.push(samples)
    begins, ends = meter.first_audible(0), meter.last_audible(len(samples))
    assert begins is not None
    assert ends is not None
    return Over(kind, text, samples, begins, ends)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--voices", nargs="+", default=list(VOICES))
    parser.add_argument("--keep", type=Path, help="keep recordings and logs here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = args.keep or Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        measure(list(sounds(args.voices)), place)


def measure(overs: list[Over], place: Path) -> None:
    """Play all of them in one session, and print what became of each."""
    files = []
    for number, over in enumerate(overs):
        asked = paths.examples_dir() / ASKED[number % len(ASKED)]
        file = place / f"{number:02}-{over.kind}.wav"
        soundfile.write(file, compose(_read(asked), over), RATE)
        files.append(file)
    events, record = place / "events.jsonl", place / "session.wav"
    inputs = [word for file in files for word in ("--input", str(file))]
    command = [sys.executable, "-m", "voicebot_local.cli", "run", "--backend", "starter", *inputs]
    outputs = ["--events", str(events), "--record", str(record)]
    subprocess.run([*command, *outputs], check=True, stdout=subprocess.DEVNULL)
    starts = locate(record, [over.samples for over in overs])
    report(overs, starts, events, record)


def _read(file: Path) -> Samples:
    with Recording(file, RATE) as recording:
        samples = recording.read(60 * RATE)
    meter = LevelMeter(RATE)
    meter.push(samples)
    return samples[: meter.last_audible(len(samples))]


def compose(asked: Samples, over: Over) -> Samples:
    """The question, silence, the sound, silence."""
    gap = np.zeros(round(GAP_S * RATE) - over.begins, np.float32)
    return np.concatenate((asked, gap, over.samples, np.zeros(round(TAIL_S * RATE), np.float32)))


def locate(record: Path, sounds: list[Samples]) -> list[float]:
    """Where in the recording each sound's first sample lies (s)."""
    heard, rate = soundfile.read(record, dtype="float32", always_2d=True)
    left = heard[:, 0]
    starts, after = [], 0
    for sound in sounds:
        at = np.linspace(0, len(sound) - 1, round(len(sound) * rate / RATE))
        wanted = np.interp(at, np.arange(len(sound)), sound)
        window = left[after : after + 40 * rate]
        size = 1 << (len(window) + len(wanted)).bit_length()
        spectrum = np.fft.rfft(window, size) * np.conj(np.fft.rfft(wanted, size))
        best = int(np.fft.irfft(spectrum, size)[: len(window)].argmax())
        starts.append((after + best) / rate)
        after += best
    return starts


def report(overs: list[Over], starts: list[float], events: Path, record: Path) -> None:
    heard, rate = soundfile.read(record, dtype="float32", always_2d=True)
    right = LevelMeter(rate, len(heard) / rate + 1)
    right.push(np.ascontiguousarray(heard[:, 1]))
    replies = right.sounds(SILENT_S)
    entries = list(read_events(events).entries)
    began = next(e.at for e in entries if isinstance(e.event, SessionStarted))
    for kind in dict.fromkeys(over.kind for over in overs):
        stopped, silent_ms, spoken_over, paused = 0, [], 0, 0
        for over, start in zip(overs, starts, strict=True):
            if over.kind != kind:
                continue
            begin = start + over.begins / RATE
            end = start + over.ends / RATE
            reply = next(
                (b / rate for a, b in replies if a / rate < begin < b / rate + SILENT_S), None
            )
            if reply is None:
                continue
            spoken_over += 1
            now = [e for e in entries if begin - 0.1 < e.at - began < end + 2.2]
            paused += any(isinstance(e.event, ReplyPaused) for e in now)
            stops = any(
                isinstance(e.event, ReplyStopped) and e.event.reason == "barge-in" for e in now
            )
            resumes = any(isinstance(e.event, ReplyResumed) for e in now)
            stopped += stops
            if stops:
                silent_ms.append(max(0.0, reply - begin) * 1000)
            what = "stopped" if stops else "resumed" if resumes else "not paused"
            print(f"  {kind}: {over.text!r} {what}")
        figures = ""
        if silent_ms:
            p50, p95 = np.percentile(silent_ms, [50, 95])
            figures = f"; silent after {p50:.0f} / {p95:.0f} / {max(silent_ms):.0f} ms"
        print(f"{kind}: {stopped} of {spoken_over} replies stopped, {paused} paused{figures}")


if __name__ == "__main__":
    main()
