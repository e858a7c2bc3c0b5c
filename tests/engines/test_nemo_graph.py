"""NeMo's step as a CUDA graph, recorded and replayed on the processor by `fake_cuda_graph`."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.engines.running import CountedSteps
from voicebot_local.engines.steps import Cancelled
from voicebot_local.providers.asr.nemo import NemoConfig, NemoEngine, _Utterance

torch = pytest.importorskip("torch")
pytest.importorskip("nemo")

DATA = Path(__file__).parents[1] / "data"
WAITS = {"tensor", "tolist", "cpu", "numpy", "item", "nonzero", "__int__", "__float__", "__bool__"}
"""What copies to the device or waits for it; the samples' own copy, by `from_numpy`, does not."""


@pytest.fixture(autouse=True)
def _cuda(monkeypatch):
    from tests.engines.fake_cuda_graph import fake_cuda

    fake_cuda(monkeypatch)


@pytest.fixture(scope="module")
def engines():
    """One that records, and one that never does."""
    config = NemoConfig(
        model=DATA / "nemo_tiny.nemo", device="cpu", threads=1, lookahead_ms=1040, recorded=False
    )
    return NemoEngine(config), NemoEngine(config)


@pytest.fixture
def engine(engines):
    """Its steps are those of a CUDA graph; for 80 ms of lookahead."""
    choose(engines[0], 80)
    return engines[0]


def choose(engine, lookahead_ms):
    engine.look_ahead(lookahead_ms)
    assert engine._model.record_step(cuda_graph=True)
    assert engine._model.steps == "CUDA graph"


@pytest.fixture
def plain(engines):
    engines[1].look_ahead(80)
    assert engines[1]._model.steps == "one by one"
    return engines[1]


def recording(name):
    return soundfile.read(DATA / "nemo" / name, dtype="float32")[0]


def hear(engine, name, decoder="rnnt", steps=None):
    engine._decoder = decoder
    samples = recording(name)
    blocks = (samples[at : at + 1600] for at in range(0, len(samples), 1600))
    return list(engine.transcribe(blocks, steps or CountedSteps()))


def assert_same(ours, theirs):
    assert [t.text for t in ours] == [t.text for t in theirs]
    assert ours[-1].text
    assert ours[-1].words == theirs[-1].words
    assert ours[-1].confidence == pytest.approx(theirs[-1].confidence, abs=1e-5)


@pytest.mark.parametrize("decoder", ["rnnt", "ctc"])
def test_it_hears_the_same_one_after_the_other(engine, plain, decoder):
    replays, replay = [], engine._model._recorded._graph.replay
    engine._model._recorded._graph.replay = lambda: (replays.append(1), replay())
    for name in ("timer.wav", "joke.wav", "timer.wav"):
        assert_same(hear(engine, name, decoder), hear(plain, name, decoder))
    assert len(replays) > 20


def test_another_lookahead_is_recorded_anew(engine, plain):
    before = engine._model._recorded
    for lookahead_ms in (0, 1040):
        choose(engine, lookahead_ms)
        plain.look_ahead(lookahead_ms)
        assert engine._model._recorded is not before
        assert_same(hear(engine, "joke.wav"), hear(plain, "joke.wav"))


def test_what_was_given_out_stays_while_others_are_heard(engine, plain):
    """Frames and caches of one utterance after steps of another, and of one that was left."""
    wanted = hear(plain, "joke.wav")
    samples = recording("joke.wav")
    engine._decoder = "rnnt"
    paused = engine.transcribe(iter(np.split(samples, [20_000])), CountedSteps())
    said = [next(paused)]
    for allowed in (0, 1, 5):
        with pytest.raises(Cancelled):
            hear(engine, "timer.wav", steps=CountedSteps(allowed))
    assert_same(hear(engine, "joke.wav"), wanted)
    said += paused
    assert (said[-1].text, said[-1].words) == (wanted[-1].text, wanted[-1].words)

    model = engine._model
    sizes = model.chunk_sizes(first=False)
    with torch.inference_mode():
        mel = torch.randn(1, 80, sizes.old + sizes.new, generator=torch.Generator().manual_seed(0))
        frames, caches = model.encode(mel, model.new_caches(), sizes.drop)
        kept = [it.clone() for it in (frames, *caches)]
        model.encode(mel * 2, caches, sizes.drop)
        assert all(torch.equal(a, b) for a, b in zip(kept, (frames, *caches), strict=True))
        model.encode(mel[:, :, : sizes.old + 3], model.new_caches(), sizes.drop)
        assert all(torch.equal(a, b) for a, b in zip(kept, (frames, *caches), strict=True))


def test_frames_are_those_of_the_plain_step(engine, plain):
    ours, theirs = (it._model.new_caches() for it in (engine, plain))
    sizes = plain._model.chunk_sizes(first=False)
    random = torch.Generator().manual_seed(1)
    with torch.inference_mode():
        for new in (sizes.new,) * 40 + (1,):  # the memory of 70 frames is full after 35 of them
            mel = torch.randn(1, 80, sizes.old + new, generator=random)
            frames, ours = engine._model.encode(mel, ours, sizes.drop)
            expected, theirs = plain._model.encode(mel, theirs, sizes.drop)
            torch.testing.assert_close(frames, expected, rtol=0, atol=1e-5)


def test_where_no_graph_can_be_recorded_the_step_is_traced(engines, monkeypatch, caplog, plain):
    engine = engines[0]
    monkeypatch.setattr(torch.cuda, "CUDAGraph", _refused)
    engine.look_ahead(80)
    assert engine._model.record_step(cuda_graph=True)
    assert engine._model.steps == "recorded"
    assert caplog.messages == [
        "the recognizer's step is not recorded as a CUDA graph: no graphs here"
    ]
    assert_same(hear(engine, "joke.wav"), hear(plain, "joke.wav"))


def _refused():
    raise RuntimeError("no graphs here\nand more")


def test_a_step_that_waits_for_the_device_is_not_recorded(engine, caplog):
    from voicebot_local.providers.asr.nemo_step import record

    def waits(mel, length, channel, time, count):
        return mel * (2 if int(length[0]) else 1), length, channel + 1, time, count

    caches = [torch.zeros(2, 1, 6, 4), torch.zeros(2, 1, 4, 3), torch.zeros(1)]
    made = record(waits, torch.zeros(1, 4, 8), 3, caches, cuda_graph=True)
    assert "not recorded as a CUDA graph: CUDA error" in caplog.text
    assert type(made).__name__ != "GraphStep"


@pytest.mark.parametrize("decoder", ["rnnt", "ctc"])
def test_the_device_is_waited_for_once_a_token_and_once_a_chunk(engine, decoder):
    waits = []

    class Counted(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            if getattr(func, "__name__", "") in WAITS:
                waits.append(func.__name__)
            return func(*args, **(kwargs or {}))

    utterance, chunks = _Utterance(engine._model, decoder), 0
    utterance.mel.add(recording("timer.wav"))
    with Counted():
        while utterance.has_chunk or (utterance.mel.ended and utterance.mel.ready):
            utterance.step()
            chunks += 1
            if not utterance.has_chunk:
                utterance.mel.end()
    tokens = utterance.said._count if decoder == "rnnt" else 0
    assert chunks > 10
    assert utterance.said.text
    # The first chunk and the last, which is cut short, are asked how many frames they are.
    assert len(waits) <= tokens + chunks + 2, waits
