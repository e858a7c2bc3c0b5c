"""pocketsphinx with the starter's language model: what it hears, what it drops, when it stops."""

from __future__ import annotations

import gzip
import tomllib
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
import soxr

from scripts.make_fixtures.starter_accuracy import noises
from tests.engines.running import CountedSteps
from voicebot_local import paths
from voicebot_local.engines.steps import Cancelled
from voicebot_local.errors import ModelError
from voicebot_local.providers.asr.pocketsphinx import PocketsphinxConfig, PocketsphinxEngine
from voicebot_local.providers.base import Samples, Transcript

TURNS = tomllib.loads((paths.examples_dir() / "conversation.toml").read_text("utf-8"))["turn"]


@pytest.fixture(scope="module")
def engine() -> PocketsphinxEngine:
    return PocketsphinxEngine(PocketsphinxConfig())


def recording(name: str) -> Samples:
    samples, rate = soundfile.read(paths.examples_dir() / name, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(samples.mean(axis=1), rate, 16_000), np.float32)


def transcribe(engine: PocketsphinxEngine, *blocks: Samples) -> list[Transcript]:
    return list(engine.transcribe(iter(blocks), CountedSteps()))


def check_order(transcripts: list[Transcript]) -> Transcript:
    assert [t.is_final for t in transcripts] == [False] * (len(transcripts) - 1) + [True]
    return transcripts[-1]


@pytest.mark.parametrize("turn", TURNS, ids=[turn["file"] for turn in TURNS])
def test_it_understands_the_examples(engine: PocketsphinxEngine, turn: dict[str, str]) -> None:
    audio = recording(turn["file"])
    transcripts = transcribe(engine, *np.array_split(audio, 17))
    final = check_order(transcripts)
    assert final.text == turn["transcript"]
    assert len(transcripts) >= 3
    assert all(a.text != b.text for a, b in pairwise(transcripts[:-1]))
    assert " ".join(word.text for word in final.words) == final.text
    times = [t for word in final.words for t in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert times[0] > 0.15  # the recordings begin with 0.3 s of quiet
    assert times[-1] <= len(audio) / 16_000
    assert final.confidence is not None
    assert 0.1 < final.confidence <= 1


def test_how_the_audio_is_cut_and_what_came_before_change_nothing() -> None:
    audio = recording("05-capital-of-france.wav")
    one = transcribe(PocketsphinxEngine(PocketsphinxConfig()), audio)
    engine = PocketsphinxEngine(PocketsphinxConfig())
    transcribe(engine, recording("08-talk-over-you.wav"))
    many = transcribe(engine, *np.array_split(audio, 333))
    assert many[-1].text == one[-1].text
    assert [w.start_s for w in many[-1].words] == [w.start_s for w in one[-1].words]


def test_a_quiet_and_a_clipped_microphone_are_understood(engine: PocketsphinxEngine) -> None:
    audio = recording("05-capital-of-france.wav")
    for gain in (0.1, 4.0):
        assert transcribe(engine, audio * np.float32(gain))[-1].text == TURNS[4]["transcript"]


@pytest.mark.parametrize("samples", [0, 1, 100, 1600, 32_000])
def test_silence_is_an_empty_final(engine: PocketsphinxEngine, samples: int) -> None:
    transcripts = transcribe(engine, np.zeros(samples, np.float32))
    assert check_order(transcripts).text == ""
    assert transcripts[-1].words == ()
    assert check_order(transcribe(engine)).text == ""


def test_noise_is_never_a_sentence(engine: PocketsphinxEngine) -> None:
    texts = [check_order(transcribe(engine, noise)).text for noise in islice(noises(), 10)]
    assert sum(not text for text in texts) >= len(texts) - 2, texts
    assert all(len(text.split()) <= 3 for text in texts), texts


def test_noise_does_not_spoil_what_follows(engine: PocketsphinxEngine) -> None:
    for noise in islice(noises(), 5):
        transcribe(engine, noise)
    assert transcribe(engine, recording(TURNS[0]["file"]))[-1].text == TURNS[0]["transcript"]


@pytest.mark.parametrize("allowed", [0, 1, 7, 16, 20])
def test_a_cancelled_call_ends_at_its_step_and_the_next_works(
    engine: PocketsphinxEngine, allowed: int
) -> None:
    audio = recording("05-capital-of-france.wav")
    steps = CountedSteps(allowed)
    with pytest.raises(Cancelled):
        list(engine.transcribe(iter([audio]), steps))
    assert len(steps.begun) == allowed
    assert transcribe(engine, audio)[-1].text == TURNS[4]["transcript"]


def test_a_call_left_in_the_middle_frees_the_engine(engine: PocketsphinxEngine) -> None:
    audio = recording("05-capital-of-france.wav")
    call = engine.transcribe(iter([audio]), CountedSteps())
    assert not next(call).is_final
    call.close()  # type: ignore[attr-defined]
    assert transcribe(engine, audio)[-1].text == TURNS[4]["transcript"]


def test_a_long_utterance_is_decoded_in_parts_and_keeps_its_words() -> None:
    engine = PocketsphinxEngine(PocketsphinxConfig(segment_s=5))
    names = [turn["file"] for turn in (TURNS[1], TURNS[4], TURNS[7])]
    audio = np.concatenate([recording(name) for name in names])
    final = check_order(transcribe(engine, *np.array_split(np.tile(audio, 2), 60)))
    assert final.text.count("is the capital of") == 2
    starts = [word.start_s for word in final.words]
    assert starts == sorted(starts)
    assert starts[-1] > 1.7 * len(audio) / 16_000


def test_memory_stays_flat_over_a_long_utterance() -> None:
    engine = PocketsphinxEngine(PocketsphinxConfig(segment_s=5))
    random = np.random.default_rng(0)
    process = psutil.Process()

    def quiet(seconds: int) -> Iterator[Samples]:
        for _ in range(seconds):
            yield random.normal(0, 0.001, 16_000).astype(np.float32)

    list(engine.transcribe(quiet(20), CountedSteps()))
    before = process.memory_info().rss
    list(engine.transcribe(quiet(60), CountedSteps()))
    assert process.memory_info().rss - before < 4e6


def test_files_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        PocketsphinxEngine(PocketsphinxConfig(language_model=tmp_path / "nowhere.lm.gz"))
    damaged = tmp_path / "damaged.lm.gz"
    damaged.write_bytes(b"\x1f\x8b\x08 no more")
    with pytest.raises(ModelError, match="damaged"):
        PocketsphinxEngine(PocketsphinxConfig(language_model=damaged))
    nonsense = tmp_path / "nonsense.lm.gz"
    nonsense.write_bytes(gzip.compress(b"this is no language model\n"))
    with pytest.raises(ModelError, match="cannot use"):
        PocketsphinxEngine(PocketsphinxConfig(language_model=nonsense))
