"""The NeMo engine on a small trained model: what it hears, and that it equals NeMo's own result."""

import json
import threading
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicebot_local.engines.steps import CallSteps, Cancelled
from voicebot_local.errors import ConfigError, ModelError
from voicebot_local.providers.asr.nemo import NemoConfig, NemoEngine, _Utterance
from voicebot_local.providers.asr.nemo_build import import_nemo

torch = pytest.importorskip("torch")
pytest.importorskip("nemo")

DATA = Path(__file__).parents[1] / "data"
MODEL = DATA / "nemo_tiny.nemo"
EXPECTED = json.loads((DATA / "nemo" / "expected.json").read_text())
MODES = [(ms, decoder) for decoder in ("rnnt", "ctc") for ms in (0, 80, 480, 1040)]
RATE, HOP = 16_000, 160


@pytest.fixture(scope="module")
def engine():
    """An engine with a lookahead and a decoder; one is loaded for each decoder."""
    loaded = {}

    def get(lookahead_ms=80, decoder="auto"):
        if decoder not in loaded:
            config = NemoConfig(model=MODEL, device="cpu", decoder=decoder, threads=1)
            loaded[decoder] = NemoEngine(config)
        loaded[decoder].look_ahead(lookahead_ms)
        return loaded[decoder]

    return get


@pytest.fixture(scope="module")
def nemo():
    """The same model as NeMo itself restores it."""
    import_nemo()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nemo.collections.asr.models import ASRModel

        return ASRModel.restore_from(str(MODEL), map_location="cpu").eval()


def recording(name):
    samples, rate = soundfile.read(DATA / "nemo" / name, dtype="float32")
    assert rate == RATE
    return samples


def blocks(samples, size=320):
    return (samples[i : i + size] for i in range(0, len(samples), size))


def steps():
    return CallSteps(threading.Event())


def heard(engine, samples, size=320):
    """All transcripts of one utterance; checks what holds of every one."""
    transcripts = list(engine.transcribe(blocks(samples, size), steps()))
    assert [t.is_final for t in transcripts] == [False] * (len(transcripts) - 1) + [True]
    partials = [t.text for t in transcripts[:-1]]
    assert all(partials)
    assert all(a != b for a, b in pairwise(partials))
    return transcripts


@pytest.mark.parametrize(("lookahead_ms", "decoder"), MODES)
def test_recordings_are_heard_exactly(engine, lookahead_ms, decoder):
    mode = engine(lookahead_ms, decoder)
    for name, text in EXPECTED.items():
        transcripts = heard(mode, recording(name))
        assert transcripts[-1].text == text, name
        assert len(transcripts) > 1, "it should say something while it listens"


@pytest.mark.parametrize(("lookahead_ms", "decoder"), MODES)
def test_streamed_text_is_that_of_the_whole_recording(engine, nemo, lookahead_ms, decoder):
    nemo.encoder.set_default_att_context_size([70, lookahead_ms // 80])
    for name in EXPECTED:
        samples = recording(name)
        with torch.inference_mode():
            encoded, lengths = nemo.forward(
                input_signal=torch.from_numpy(samples)[None],
                input_signal_length=torch.tensor([len(samples)]),
            )
            if decoder == "rnnt":
                whole = nemo.decoding.rnnt_decoder_predictions_tensor(encoded, lengths)
            else:
                scores = nemo.ctc_decoder(encoder_output=encoded)
                whole = nemo.ctc_decoding.ctc_decoder_predictions_tensor(scores, lengths)
        final = heard(engine(lookahead_ms, decoder), samples)[-1]
        assert final.text == getattr(whole[0], "text", whole[0]).strip(), name


@pytest.mark.parametrize(("lookahead_ms", "decoder"), MODES)
def test_every_partial_is_that_of_nemos_own_streaming(engine, nemo, lookahead_ms, decoder):
    from nemo.collections.asr.parts.utils.streaming_utils import CacheAwareStreamingAudioBuffer

    nemo.encoder.set_default_att_context_size([70, lookahead_ms // 80])
    nemo.change_decoding_strategy(decoder_type=decoder, verbose=False)
    samples = recording("hello.wav")
    buffer = CacheAwareStreamingAudioBuffer(model=nemo)
    buffer.append_audio(samples, stream_id=-1)
    caches, predicted, hypotheses = nemo.encoder.get_initial_cache_state(batch_size=1), None, None
    texts = []
    for number, (mel, length) in enumerate(buffer):
        drop = nemo.encoder.streaming_cfg.drop_extra_pre_encoded if number else 0
        with torch.inference_mode():
            predicted, said, *caches, hypotheses = nemo.conformer_stream_step(
                processed_signal=mel,
                processed_signal_length=length,
                cache_last_channel=caches[0],
                cache_last_time=caches[1],
                cache_last_channel_len=caches[2],
                keep_all_outputs=buffer.is_buffer_empty(),
                previous_hypotheses=hypotheses,
                previous_pred_out=predicted,
                drop_extra_pre_encoded=drop,
            )
        text = getattr(said[0], "text", said[0]).strip()
        if text and text != (texts or [""])[-1]:
            texts.append(text)
    *partials, final = (t.text for t in heard(engine(lookahead_ms, decoder), samples))
    assert final == texts[-1]
    assert partials == texts[: len(partials)]
    assert len(texts) - len(partials) <= 1


@pytest.mark.parametrize("lookahead_ms", [0, 80, 480, 1040])
def test_after_the_end_one_chunk_says_what_the_whole_recording_says(engine, nemo, lookahead_ms):
    """Wherever in a chunk the audio ends: the frames are those of NeMo's offline encoder, or for no
    lookahead, where NeMo's stream differs from that, those of its stream."""
    model = engine(lookahead_ms, "rnnt")._model
    nemo.encoder.set_default_att_context_size([70, lookahead_ms // 80])
    samples = recording("timer.wav")[RATE // 4 :]
    first, chunk = (model.chunk_sizes(first=which).new for which in (True, False))
    before = first + chunk * (40 // chunk)
    texts = set()
    for length in range((before + 1) * HOP, (before + chunk + 1) * HOP, HOP):
        ours, steps_after = frames_of(model, samples[:length])
        assert steps_after <= 1
        reference = (
            offline(nemo, samples[:length]) if lookahead_ms else streamed(model, samples[:length])
        )
        torch.testing.assert_close(ours, reference, rtol=0, atol=1e-4)
        with torch.inference_mode():
            for kind in ("rnnt", "ctc"):
                said, wanted = (
                    [token.id for token in model.new_decoder(kind).decode(frames)]
                    for frames in (ours, reference)
                )
                assert said == wanted
                texts.add(tuple(said))
    assert any(texts), "something should be said"


def offline(nemo, samples):
    with torch.inference_mode():
        whole, count = nemo.forward(
            input_signal=torch.from_numpy(samples)[None],
            input_signal_length=torch.tensor([len(samples)]),
        )
    return whole[:, :, : int(count[0])]


def streamed(model, samples):
    """By NeMo's own steps of just as many mel frames as there are."""
    recorded, model._recorded = model._recorded, None
    try:
        return frames_of(model, samples)[0]
    finally:
        model._recorded = recorded


class Kept:
    """A decoder that keeps the encoder's frames of each step."""

    def __init__(self):
        self.frames = []

    def decode(self, encoded):
        self.frames.append(encoded)
        return []


def frames_of(model, samples):
    """All encoder frames of one utterance, and how many steps there were after its end."""
    utterance = _Utterance(model, "ctc")
    utterance._caches, utterance._decoder = model.new_caches(), (kept := Kept())
    utterance.mel.add(samples)
    while utterance.has_chunk:
        utterance.step()
    utterance.mel.end()
    before = len(kept.frames)
    while utterance.mel.ready > 0:
        utterance.step()
    return torch.cat(kept.frames, dim=2), len(kept.frames) - before


@pytest.mark.parametrize("size", [1, 37, 1000, 16_000, 10**9])
def test_the_size_of_blocks_does_not_matter(engine, size):
    samples = recording("joke.wav") if size > 1 else recording("joke.wav")[:RATE]
    assert heard(engine(), samples, size) == heard(engine(), samples)


def test_words_have_times_and_the_text_a_confidence(engine):
    name = "timer.wav"
    samples = recording(name)
    final = heard(engine(), samples)[-1]
    assert [word.text for word in final.words] == EXPECTED[name].split()
    starts, ends = [w.start_s for w in final.words], [w.end_s for w in final.words]
    assert starts == sorted(starts)
    assert all(start < end for start, end in zip(starts, ends, strict=True))
    assert 0.2 < starts[0] < 0.9, "speech begins 0.3 s into the recording"
    assert ends[-1] <= len(samples) / RATE
    assert 0.5 < final.confidence <= 1


def quiet(length, level=0.0):
    return np.random.default_rng(0).standard_normal(length).astype(np.float32) * np.float32(level)


@pytest.mark.parametrize(("lookahead_ms", "decoder"), [(0, "rnnt"), (80, "ctc"), (1040, "rnnt")])
@pytest.mark.parametrize("length", [0, 1, 159, 160, 161, 1_300, 5 * RATE])
def test_silence_of_any_length_is_nothing(engine, lookahead_ms, decoder, length):
    (final,) = heard(engine(lookahead_ms, decoder), quiet(length))
    assert (final.text, final.words, final.confidence) == ("", (), None)


def test_noise_is_nothing(engine):
    assert heard(engine(), quiet(5 * RATE, 0.01))[-1].text == ""


def test_loud_nonsense_does_no_harm(engine):
    heard(engine(), quiet(2 * RATE, 10.0))
    heard(engine(), np.full(RATE, np.nan, np.float32))
    assert heard(engine(), recording("joke.wav"))[-1].text == EXPECTED["joke.wav"]


@pytest.mark.parametrize("decoder", ["rnnt", "ctc"])
def test_cancelled_anywhere_the_next_utterance_is_heard(engine, decoder):
    mode, samples = engine(80, decoder), recording("kitchen.wav")
    whole = heard(mode, samples)
    for chunk in (0, 1, 5, 11):
        calls = 0
        cancelled = threading.Event()
        call_steps = CallSteps(cancelled)

        def until(kind, chunk=chunk, cancelled=cancelled, call_steps=call_steps):
            nonlocal calls
            if calls == chunk:
                cancelled.set()
            calls += 1
            return call_steps(kind)

        with pytest.raises(Cancelled):
            list(mode.transcribe(blocks(samples), until))
        assert heard(mode, samples) == whole


def test_left_before_its_end_the_next_utterance_is_heard(engine):
    mode, samples = engine(), recording("kitchen.wav")
    transcripts = mode.transcribe(blocks(samples), steps())
    assert not next(transcripts).is_final
    transcripts.close()
    assert heard(mode, samples)[-1].text == EXPECTED["kitchen.wav"]


def test_what_the_audio_raises_passes_through(engine):
    def broken():
        yield recording("joke.wav")[:8_000]
        raise OSError("the microphone is gone")

    with pytest.raises(OSError, match="microphone"):
        list(engine().transcribe(broken(), steps()))
    assert heard(engine(), recording("joke.wav"))[-1].text == EXPECTED["joke.wav"]


def test_a_long_recording_given_at_once_costs_no_more_a_chunk(engine):
    mode = engine(1040, "rnnt")
    samples = np.concatenate([recording("joke.wav"), quiet(20_000)] * 20)
    call_steps = steps()
    final = list(mode.transcribe(iter([samples]), call_steps))[-1]
    assert final.text.count("tell me a joke") >= 19
    chunks = call_steps.report()["chunk"].number
    assert chunks == pytest.approx(len(samples) / (1.12 * RATE), abs=2)


def test_two_utterances_in_turn_do_not_mix(engine):
    """One that is only paused keeps its own state, though one at a time is what is promised."""
    mode = engine()
    paused = mode.transcribe(blocks(recording("timer.wav")), steps())
    next(paused)
    assert heard(mode, recording("joke.wav"))[-1].text == EXPECTED["joke.wav"]
    assert list(paused)[-1].text == EXPECTED["timer.wav"]


def test_bfloat16_hears_a_recording():
    config = NemoConfig(
        model=MODEL, device="cpu", precision="bfloat16", lookahead_ms=480, threads=1
    )
    assert heard(NemoEngine(config), recording("timer.wav"))[-1].text == EXPECTED["timer.wav"]


def test_the_engine_says_what_it_is(engine):
    info = engine(480, "ctc").info
    assert info.device == "cpu"
    assert info.details["decoder"] == "ctc"
    assert info.details["lookahead_ms"] == 480
    assert info.details["chunk_ms"] == 560


def test_a_lookahead_not_on_offer_is_refused(engine):
    for choose in (
        lambda: NemoEngine(NemoConfig(model=MODEL, device="cpu", lookahead_ms=100)),
        lambda: engine().look_ahead(100),
    ):
        with pytest.raises(ConfigError, match="cannot look ahead 100 ms") as raised:
            choose()
        assert "0, 80, 480, 1040" in raised.value.mend


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a graphics card")
def test_cuda_without_a_graphics_card_is_refused():
    with pytest.raises(ConfigError, match="no graphics card"):
        NemoEngine(NemoConfig(model=MODEL, device="cuda"))


def test_a_missing_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="There is no model file"):
        NemoEngine(NemoConfig(model=tmp_path / "none.nemo"))


@pytest.mark.parametrize("kind", ["ctc", "rnnt"])
def test_models_with_one_decoder(tmp_path, monkeypatch, kind):
    """Random weights: that they load, offer what they have, and stream, is all there is to see."""
    import_nemo()
    from scripts.make_fixtures.asr.model import Size, build, train_tokenizer
    from scripts.make_fixtures.asr.speech import SENTENCES

    monkeypatch.chdir(tmp_path)
    train_tokenizer(SENTENCES, Path("tokenizer"))
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        build(kind, Path("tokenizer"), Size(width=32, layers=2)).save_to("random.nemo")
    path = tmp_path / "random.nemo"
    mode, whole = (
        NemoEngine(NemoConfig(model=path, device="cpu", threads=1, fast_start=fast))
        for fast in (True, False)
    )
    assert mode.info.details["decoder"] == kind
    for lookahead_ms in (0, 1040):
        for one in (mode, whole):
            one.look_ahead(lookahead_ms)
        assert heard(mode, recording("joke.wav")) == heard(whole, recording("joke.wav"))
    other = "rnnt" if kind == "ctc" else "ctc"
    with pytest.raises(ConfigError, match=f"has no {other} decoder"):
        NemoEngine(NemoConfig(model=path, device="cpu", decoder=other))
