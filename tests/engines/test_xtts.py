"""XTTS on tiny models: the stream is what the package gives in one go, and stops when told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.engines.running import CountedSteps
from tests.engines.xtts_fixture import endless_xtts, tiny_xtts
from voicebot_local.engines.steps import Cancelled
from voicebot_local.errors import ConfigError, VoicebotError
from voicebot_local.providers.base import Samples
from voicebot_local.providers.tts.xtts import RAMP, XttsConfig, XttsEngine, _with_soft_ends
from voicebot_local.providers.tts.xtts_text import prepare

__all__ = ["endless_xtts", "tiny_xtts"]

WORDS = "we can go to the old red bar by the sea and sit in the sun all day "
TEXTS = {
    "1 word": "Yes.",
    "5 words": "Hello there, how are you?",
    "19 words": WORDS + "if you like.",
    "60 words": (WORDS * 4)[:240],
}


def engine_of(model: Path, **settings: Any) -> XttsEngine:
    greedy = {"voice": "Test Voice", "top_k": 1, "threads": 1, "device": "cpu"}
    return XttsEngine(XttsConfig.model_validate({"model": model, **greedy, **settings}))


def say(engine: XttsEngine, *clauses: str) -> Samples:
    chunks = [audio.samples for audio in engine.speak(iter(clauses), CountedSteps())]
    return np.concatenate([np.zeros(0, np.float32), *chunks])


def in_one_go(engine: XttsEngine, text: str) -> Samples:
    """What the package's `inference` gives for `text`, with the ends faded as we fade them."""
    gpt, voice = engine.model.gpt, engine._decoder._voice
    waves = []
    for part in engine._cut(prepare(text, "en")):
        piece = engine._piece(part)
        limit, gpt.max_gen_mel_tokens = gpt.max_gen_mel_tokens, piece.limit
        wave = engine.model.inference(
            piece.text, "en", voice.latents, voice.embedding, top_k=1, repetition_penalty=10.0
        )["wav"]
        gpt.max_gen_mel_tokens = limit
        rise = np.linspace(0, 1, RAMP, dtype=np.float32)
        wave[:RAMP] *= rise
        wave[-RAMP:] *= rise[::-1]
        waves.append(wave)
    return np.concatenate(waves)


@pytest.fixture(scope="module")
def speaks(tiny_xtts: Path) -> XttsEngine:
    return engine_of(tiny_xtts)


@pytest.fixture(scope="module")
def endless(endless_xtts: Path) -> XttsEngine:
    return engine_of(endless_xtts)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_stream_is_what_inference_gives(speaks: XttsEngine, text: str) -> None:
    streamed, whole = say(speaks, text), in_one_go(speaks, text)
    assert len(streamed) == len(whole)
    assert np.abs(streamed - whole).max() < 1e-5
    assert 0.1 < np.abs(whole).max() < 1.0


def test_so_it_is_for_every_length_of_a_sentence(speaks: XttsEngine, endless: XttsEngine) -> None:
    words = (WORDS * 3).split()
    for count in range(1, 46, 4):
        text = " ".join(words[:count]) + "."
        for engine in (speaks, endless) if count < 10 else (speaks,):
            streamed, whole = say(engine, text), in_one_go(engine, text)
            assert len(streamed) == len(whole), text
            assert np.abs(streamed - whole).max() < 1e-4, text


@pytest.mark.parametrize("text", [TEXTS["1 word"], WORDS * 7], ids=["1 word", "119 words, cut"])
def test_so_it_is_where_only_the_limit_ends_it(endless: XttsEngine, text: str) -> None:
    streamed, whole = say(endless, text), in_one_go(endless, text)
    assert len(streamed) == len(whole)
    assert np.abs(streamed - whole).max() < 1e-5


@pytest.mark.parametrize("token", [0, 1, 2])
def test_so_it_is_where_a_token_is_very_likely(speaks: XttsEngine, token: int) -> None:
    bias = speaks.model.gpt.mel_head.bias
    bias[token] += 6.0  # the package counts token 1 as said before anything is
    streamed, whole = say(speaks, "Hello."), in_one_go(speaks, "Hello.")
    bias[token] -= 6.0
    assert np.abs(streamed - whole).max() < 1e-5


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_steps_of_fixed_shape_say_the_same(speaks: XttsEngine, text: str) -> None:
    """What a GPU replays is recorded from these."""
    from voicebot_local.providers.tts.xtts_decode import OwnDecoder

    decoder = speaks._decoder
    assert isinstance(decoder, OwnDecoder)
    plain, loop = say(speaks, text), decoder.loop
    sizes: list[int] = []

    def replay(filled: int) -> None:
        sizes.append(next(size for size in (192, 384, loop.longest) if size >= filled))
        loop.fixed_step(sizes[-1])

    loop.replay = replay
    fixed = say(speaks, text)
    loop.replay = None
    assert sizes
    assert len(plain) == len(fixed)
    assert np.abs(plain - fixed).max() < 1e-5


def test_without_a_gpu_nothing_is_recorded_and_that_is_said(
    speaks: XttsEngine, caplog: pytest.LogCaptureFixture
) -> None:
    import torch

    from voicebot_local.providers.tts.xtts_decode import OwnDecoder

    if torch.cuda.is_available():
        assert engine_of(speaks._directory, device="cuda").info.details["steps"] == "recorded"
        return
    before, decoder = say(speaks, "Hello."), speaks._decoder
    assert isinstance(decoder, OwnDecoder)
    assert not decoder.record(speaks._piece("hello."))
    assert "one by one" in caplog.text
    np.testing.assert_array_equal(say(speaks, "Hello."), before)


def test_the_vocoder_sees_few_lengths(endless: XttsEngine) -> None:
    """A GPU's library chooses its kernels anew for each; `warm` has it do so beforehand."""
    from voicebot_local.providers.tts.xtts_decode import OwnDecoder

    decoder, lengths = endless._decoder, list[int]()
    assert isinstance(decoder, OwnDecoder)
    generator = endless.model.hifigan_decoder.waveform_decoder
    with generator.register_forward_pre_hook(lambda _, given: lengths.append(given[0].shape[-1])):
        decoder.warm()
        warmed = set(lengths)
        lengths.clear()
        for tokens in (36, 41, 58):
            for _ in decoder.speak(endless._piece(WORDS, tokens), CountedSteps()):
                pass
    beginning = lengths[0]
    assert lengths.count(beginning) == 3
    assert set(lengths) - {beginning} <= warmed


def test_a_short_word_gets_little_time(endless: XttsEngine) -> None:
    assert len(say(endless, "Yes.")) < 2.2 * 24_000


def test_texts_and_voices_differ(speaks: XttsEngine, tiny_xtts: Path) -> None:
    one, other = say(speaks, "Hello there."), say(speaks, "Good night.")
    length = min(len(one), len(other))
    assert np.abs(one[:length] - other[:length]).max() > 0.05
    other = say(engine_of(tiny_xtts, voice="second voice"), "Hello there.")
    length = min(len(one), len(other))
    assert np.abs(one[:length] - other[:length]).max() > 0.05


@pytest.mark.parametrize("sizes", [(1, 1), (3, 50), (200, 200)])
def test_the_size_of_the_chunks_changes_nothing(
    speaks: XttsEngine, tiny_xtts: Path, sizes: tuple[int, int]
) -> None:
    text = TEXTS["5 words"]
    other = engine_of(tiny_xtts, first_chunk_tokens=sizes[0], chunk_tokens=sizes[1])
    assert np.abs(say(other, text) - say(speaks, text)).max() < 1e-5


def test_clauses_are_spoken_in_order_and_each_as_alone(speaks: XttsEngine) -> None:
    clauses = ["Hello there,", "", "how are you?", "🙂 ...", "Good."]
    spoken = list(speaks.speak(iter(clauses), CountedSteps()))
    numbers = [audio.clause for audio in spoken]
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 2, 4}
    for number in set(numbers):
        alone = say(speaks, clauses[number])
        together = np.concatenate([a.samples for a in spoken if a.clause == number])
        np.testing.assert_allclose(together, alone, atol=1e-5)
    for audio in spoken:
        assert audio.samples.dtype == np.float32
        assert audio.samples.ndim == 1
        assert len(audio.samples)
        assert audio.words == ()
    assert speaks.info.sample_rate == 24_000
    assert speaks.info.device == "cpu"


def test_a_clause_is_spoken_before_the_next_is_asked_for(speaks: XttsEngine) -> None:
    asked: list[int] = []

    def clauses() -> Iterator[str]:
        for number in range(3):
            asked.append(number)
            yield "Hello there."

    for audio in speaks.speak(clauses(), CountedSteps()):
        assert asked[-1] == audio.clause


def test_joins_do_not_click(endless: XttsEngine) -> None:
    clauses = ["Hello there, my friend,", "how are you", "today?"]
    spoken = say(endless, *clauses)
    ends = np.cumsum([len(say(endless, clause)) for clause in clauses])
    assert ends[-1] == len(spoken)
    # a 12 kHz tone of the vocoder is the steepest thing in it; a join must not be steeper
    steps = np.abs(np.diff(spoken))
    for end in ends[:-1]:
        assert steps[end - 2 : end + 2].max() < 0.05 * steps.max()
    for edge in (spoken[0], spoken[-1]):
        assert abs(edge) < 1e-6


def high_db(sound: Samples, at: int) -> float:
    """The loudest above 4 kHz in the 10 ms around a sample, against a full-scale sine."""
    part = sound[at - 120 : at + 120] * np.blackman(240)
    spectrum = np.abs(np.fft.rfft(part)) / np.blackman(240).sum() * 2
    return float(20 * np.log10(spectrum[40:].max() + 1e-9))


@pytest.mark.parametrize("hertz", [90, 210, 400])
@pytest.mark.parametrize("length", [10_000, 12_345])
def test_a_hum_that_is_cut_and_joined_does_not_click(hertz: int, length: int) -> None:
    """Sound whose high bands are empty, unlike that of a model with random weights."""
    hum = np.sin(2 * np.pi * hertz * np.arange(length) / 24_000).astype(np.float32)
    chunks = [hum[:1], hum[1:3000], hum[3000:3010], hum[3010:7777], hum[7777:]]
    soft = np.concatenate(list(_with_soft_ends(iter(chunks))))
    assert len(soft) == length
    np.testing.assert_array_equal(soft[RAMP:-RAMP], hum[RAMP:-RAMP])
    spoken, hard = np.concatenate([soft, soft]), np.concatenate([hum, hum])
    silent = np.concatenate([np.zeros(500, np.float32), spoken])
    assert high_db(spoken, 3000) < -80
    assert high_db(spoken, length) < -45
    assert high_db(silent, 500) < -45
    if abs(hum[-1]) > 0.1:
        assert high_db(hard, length) > high_db(spoken, length) + 10


def test_each_token_and_each_window_is_a_step(speaks: XttsEngine) -> None:
    steps = CountedSteps()
    seconds = sum(len(a.samples) for a in speaks.speak(iter(["Hello there."]), steps)) / 24_000
    tokens = steps.begun.count("token")
    assert tokens * 1024 / 22050 == pytest.approx(seconds, abs=0.02)
    assert steps.begun[:11] == ["token"] * 10 + ["vocoder"]
    assert steps.begun.count("vocoder") == 2 + (tokens - 11) // 20


@pytest.mark.parametrize("allowed", [0, 1, 10, 11, 32])
@pytest.mark.parametrize("settings", [{}, {"top_k": 50, "seed": 7}], ids=["greedy", "drawn"])
def test_a_cancelled_reply_stops_at_once_and_leaves_nothing_behind(
    speaks: XttsEngine, tiny_xtts: Path, allowed: int, settings: dict[str, Any]
) -> None:
    engine = engine_of(tiny_xtts, **settings) if settings else speaks
    before = say(engine, "Hello there.", "How are you?")
    steps = CountedSteps(allowed)
    with pytest.raises(Cancelled):
        for _ in engine.speak(iter(["Something else, quite different."]), steps):
            pass
    assert len(steps.begun) == allowed
    np.testing.assert_array_equal(say(engine, "Hello there.", "How are you?"), before)


def test_a_reply_that_is_left_leaves_nothing_behind(speaks: XttsEngine) -> None:
    before = say(speaks, "Hello there.")
    left = speaks.speak(iter(["Something else."]), CountedSteps())
    next(left)
    del left
    np.testing.assert_array_equal(say(speaks, "Hello there."), before)


def test_a_second_reply_ends_the_first(speaks: XttsEngine) -> None:
    before = say(speaks, "Hello there.")
    first = speaks.speak(iter(["Something else."]), CountedSteps())
    next(first)
    np.testing.assert_array_equal(say(speaks, "Hello there."), before)
    with pytest.raises(RuntimeError, match="another reply"):
        next(first)


def test_seeds_repeat_and_no_seed_does_not(tiny_xtts: Path) -> None:
    drawn = {"top_k": 50, "temperature": 1.0}
    seeded = [say(engine_of(tiny_xtts, seed=seed, **drawn), "Hello.") for seed in (1, 1, 2)]
    np.testing.assert_array_equal(seeded[0], seeded[1])
    assert not _same(seeded[0], seeded[2])
    free = engine_of(tiny_xtts, **drawn)
    assert not _same(say(free, "Hello."), say(free, "Hello."))


def test_the_stock_decoder_says_the_same_but_for_its_seams(
    speaks: XttsEngine, tiny_xtts: Path
) -> None:
    stock = engine_of(tiny_xtts, decoder="stock")
    assert stock.info.details["decoder"] == "stock"
    for text in TEXTS.values():
        own, theirs = say(speaks, text), say(stock, text)
        assert len(own) == len(theirs)
        # it decodes the end of each chunk without what follows, and fades over it
        seams = np.zeros(len(own), bool)
        for seam in range(21_248, len(own), 22_272):
            seams[seam - 4096 : seam + 4096] = True
        assert np.abs(own - theirs)[~seams].max() < 1e-5


def test_the_stock_decoder_stops_after_a_chunk_and_can_be_used_again(tiny_xtts: Path) -> None:
    stock = engine_of(tiny_xtts, decoder="stock", chunk_tokens=8)
    before = say(stock, "Hello there.")
    steps = CountedSteps(2)
    with pytest.raises(Cancelled):
        for _ in stock.speak(iter(["Something else."]), steps):
            pass
    assert len(steps.begun) == 2
    np.testing.assert_array_equal(say(stock, "Hello there."), before)


def test_long_text_is_all_spoken(endless: XttsEngine) -> None:
    numbers = " ".join(str(number) for number in range(987_600, 987_640))
    parts = endless._cut(prepare(numbers, "en"))
    assert len(parts) > 4  # each number is seven words
    assert all(endless._piece(part).ids.shape[1] <= 400 for part in parts)
    steps = CountedSteps()
    spoken = endless.speak(iter(["long " * 2000]), steps)
    assert sum(len(audio.samples) for audio, _ in zip(spoken, range(4), strict=False)) > 48_000


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_speaks(tiny_xtts: Path, precision: str) -> None:
    audio = say(engine_of(tiny_xtts, precision=precision), "Hello there.")
    assert audio.dtype == np.float32
    assert np.isfinite(audio).all()
    assert len(audio) > 24_000


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"voice": "Tset Voice"}, "Test Voice"),
        ({"voice": "Nobody"}, "Second Voice"),
        ({"language": "fr"}, "en, de, es"),
    ],
)
def test_what_the_model_does_not_have(
    tiny_xtts: Path, settings: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        engine_of(tiny_xtts, **settings)
    assert words in f"{caught.value} {caught.value.mend}"


def test_no_gpu_is_said(tiny_xtts: Path) -> None:
    import torch

    if torch.cuda.is_available():
        assert engine_of(tiny_xtts, device="cuda").info.device.startswith("cuda:0 (")
        return
    with pytest.raises(ConfigError, match="no GPU"):
        engine_of(tiny_xtts, device="cuda")
    assert engine_of(tiny_xtts, device="auto").info.device == "cpu"


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0},
        {"top_p": 0},
        {"chunk_tokens": 0},
        {"voice": ""},
        {"speed": 1},
        {"decoder": "stock", "precision": "float16"},
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        XttsConfig.model_validate({"model": "xtts", "voice": "Test Voice", **settings})


def test_chances_are_those_of_transformers() -> None:
    import torch
    from transformers.generation import logits_process as theirs

    from voicebot_local.providers.tts.xtts_tokens import Sampling, likeliest

    scores = torch.randn(1, 300, generator=torch.Generator().manual_seed(1)) * 4
    said = torch.tensor([[3, 7, 7, 250]])
    seen = torch.zeros(300, dtype=torch.bool)
    seen[said[0]] = True
    for how in (
        Sampling(0.75, 50, 0.85, 10.0),
        Sampling(1.3, 0, 1.0, 1.0),
        Sampling(0.5, 5, 0.3, 2),
    ):
        steps: list[Any] = []
        if how.repetition_penalty != 1.0:
            steps.append(theirs.RepetitionPenaltyLogitsProcessor(float(how.repetition_penalty)))
        steps.append(theirs.TemperatureLogitsWarper(how.temperature))
        if how.top_k:
            steps.append(theirs.TopKLogitsWarper(how.top_k))
        if how.top_p < 1.0:
            steps.append(theirs.TopPLogitsWarper(how.top_p))
        wanted = scores.clone()
        for step in steps:
            wanted = step(said, wanted)
        chances, tokens = likeliest(scores, seen, how)
        torch.testing.assert_close(
            torch.zeros(1, 300).scatter(1, tokens, chances), wanted.softmax(-1)
        )
        assert (chances.diff() <= 0).all()


def test_errors_are_sentences_with_a_mend(tmp_path: Path) -> None:
    with pytest.raises(VoicebotError) as caught:
        engine_of(tmp_path / "nothing")
    assert str(tmp_path / "nothing") in caught.value.message
    assert "models download --again xtts-v2" in caught.value.mend


def _same(one: Samples, other: Samples) -> bool:
    return len(one) == len(other) and bool(np.array_equal(one, other))
