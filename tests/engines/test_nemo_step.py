"""The recorded step of NeMo's encoder: the same numbers, or not used at all."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.engines.running import CountedSteps
from voicebot_local.providers.asr.nemo import NemoConfig, NemoEngine
from voicebot_local.providers.asr.nemo_step import record

torch = pytest.importorskip("torch")
pytest.importorskip("nemo")

DATA = Path(__file__).parents[1] / "data"
MODEL = DATA / "nemo_tiny.nemo"


@pytest.fixture(scope="module")
def recorded():
    return NemoEngine(NemoConfig(model=MODEL, device="cpu", threads=1))


@pytest.fixture(scope="module")
def plain():
    return NemoEngine(NemoConfig(model=MODEL, device="cpu", threads=1, recorded=False))


@pytest.mark.parametrize("lookahead_ms", [0, 80, 480, 1040])
def test_it_gives_the_same_frames_for_as_long_as_one_likes(recorded, plain, lookahead_ms):
    for engine in (recorded, plain):
        engine.look_ahead(lookahead_ms)
    assert recorded.info.details["steps"] == "recorded"
    assert plain.info.details["steps"] == "one by one"
    sizes = plain._model.chunk_sizes(first=False)
    assert recorded._model._recorded is not None
    assert plain._model._recorded is None
    random = torch.Generator().manual_seed(1)
    ours, theirs = recorded._model.new_caches(), plain._model.new_caches()
    with torch.inference_mode():
        for _ in range(80 * 8 // sizes.new):  # the memory of 70 frames is full after half of it
            mel = torch.randn(1, 80, sizes.old + sizes.new, generator=random)
            frames, ours = recorded._model.encode(mel, ours, sizes.drop)
            expected, theirs = plain._model.encode(mel, theirs, sizes.drop)
            assert frames.shape == expected.shape
            torch.testing.assert_close(frames, expected, rtol=0, atol=1e-4)


def test_it_hears_the_same(recorded, plain):
    for engine in (recorded, plain):
        engine.look_ahead(80)
    for path in sorted((DATA / "nemo").glob("*.wav")):
        samples, _ = soundfile.read(path, dtype="float32")
        blocks = [samples[at : at + 320] for at in range(0, len(samples), 320)]
        one, other = (list(it.transcribe(iter(blocks), CountedSteps())) for it in (recorded, plain))
        assert [t.text for t in one] == [t.text for t in other]
        assert one[-1].words == other[-1].words
        assert one[-1].confidence == pytest.approx(other[-1].confidence, abs=1e-4)


def test_half_precision_is_recorded_too():
    engine = NemoEngine(NemoConfig(model=MODEL, device="cpu", threads=1, precision="bfloat16"))
    assert engine.info.details["steps"] == "recorded"
    list(engine.transcribe(iter([np.zeros(16_000, np.float32)]), CountedSteps()))


def _inputs():
    return (
        torch.zeros(1, 4, 8),
        3,
        [torch.zeros(2, 1, 6, 4), torch.zeros(2, 1, 4, 3), torch.zeros(1)],
    )


def _step(mel, length, channel, time, count):
    return mel * 2, length, channel + 1, time, count


def test_a_step_that_is_the_same_each_time_is_taken():
    assert record(_step, *_inputs()) is not None


def test_one_that_depends_on_more_than_its_shapes_is_not(caplog):
    def chooses(mel, *others):
        return _step(mel * 3 if float(mel.sum()) > 0 else mel, *others)

    assert record(chooses, *_inputs()) is None
    assert "would differ" in caplog.text


def test_one_that_gives_more_where_the_chunk_is_cut_short_is_not(caplog):
    def forgets(mel, length, *caches):
        return _step(mel + mel.mean(), length, *caches)

    assert record(forgets, *_inputs()) is None
    assert "would differ" in caplog.text


def test_one_that_cannot_be_recorded_is_not(caplog):
    def fails(*inputs):
        raise RuntimeError("no such operation\nand more")

    assert record(fails, *_inputs()) is None
    assert "not recorded: no such operation" in caplog.text
    assert "and more" not in caplog.text
