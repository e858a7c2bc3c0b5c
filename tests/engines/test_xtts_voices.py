"""The voice of a recording: any format, kept for the next start, and refused where it is no use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.engines.test_xtts import engine_of, say
from tests.engines.xtts_fixture import tiny_xtts
from voicebot_local.errors import ConfigError, InputError

__all__ = ["tiny_xtts"]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "voicebot-local" / "xtts-voices"


def recording(path: Path, rate: int = 22_050, seconds: float = 3.0, **how: Any) -> Path:
    """A buzz that rises and falls, the same at every rate."""
    time = np.arange(int(rate * seconds)) / rate
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.7 * time)
    buzz = sum(np.sin(n * 2 * np.pi * np.cumsum(pitch) / rate) / n for n in range(1, 12))
    wave = 0.1 * np.asarray(buzz) * (1 + np.sin(2 * np.pi * 3 * time))
    channels = how.pop("channels", 1)
    soundfile.write(path, np.repeat(wave[:, None], channels, axis=1), rate, **how)
    return path


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("narrow.wav", {"rate": 8_000, "subtype": "PCM_U8"}),
        ("wide.wav", {"rate": 48_000, "subtype": "FLOAT", "channels": 2}),
        ("packed.flac", {"rate": 44_100, "subtype": "PCM_24"}),
    ],
)
def test_recordings_of_any_kind(tiny_xtts: Path, tmp_path: Path, name: str, how: Any) -> None:
    engine = engine_of(tiny_xtts, voice=str(recording(tmp_path / name, **how)))
    assert np.abs(say(engine, "Hello.")).max() > 0.05


def test_the_voice_is_what_the_package_makes_of_it(
    tiny_xtts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from TTS.tts.models import xtts as package

    path = recording(tmp_path / "me.wav", seconds=14)
    engine = engine_of(tiny_xtts, voice=str(path))
    samples = torch.from_numpy(soundfile.read(path, dtype="float32")[0][None])
    # its own reader needs FFmpeg
    monkeypatch.setattr(package, "load_audio", lambda path, rate: samples.clone())
    latents, embedding = engine.model.get_conditioning_latents(
        path, max_ref_length=10, gpt_cond_len=12, gpt_cond_chunk_len=4
    )
    voice = engine._decoder._voice
    torch.testing.assert_close(voice.latents, latents)
    torch.testing.assert_close(voice.embedding, embedding)
    assert voice.latents.shape == (1, 32, 64)
    assert voice.embedding.shape == (1, 512, 1)


def test_a_voice_is_kept_and_found_again(tiny_xtts: Path, tmp_path: Path, cache: Path) -> None:
    path = recording(tmp_path / "me.wav")
    before = say(engine_of(tiny_xtts, voice=str(path)), "Hello.")
    [kept] = cache.iterdir()
    # what is kept is what is used: put another voice in its place
    with np.load(kept, allow_pickle=False) as arrays:
        latents, embedding = arrays["latents"], arrays["embedding"]
    np.savez(kept, latents=-latents, embedding=embedding)
    other = say(engine_of(tiny_xtts, voice=str(path)), "Hello.")
    assert len(other) != len(before) or np.abs(other - before).max() > 1e-3
    np.savez(kept, latents=latents, embedding=embedding)
    again = say(engine_of(tiny_xtts, voice=str(path)), "Hello.")
    np.testing.assert_array_equal(again, before)
    moved = path.rename(tmp_path / "moved.wav")
    np.testing.assert_array_equal(say(engine_of(tiny_xtts, voice=str(moved)), "Hello."), before)
    assert list(cache.iterdir()) == [kept]


def test_another_recording_is_another_voice(tiny_xtts: Path, tmp_path: Path, cache: Path) -> None:
    for seconds in (2.0, 3.0):
        engine_of(tiny_xtts, voice=str(recording(tmp_path / "me.wav", seconds=seconds)))
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"junk", b"PK\x03\x04 half a zip"])
def test_a_damaged_cache_is_made_again(
    tiny_xtts: Path, tmp_path: Path, cache: Path, damage: bytes
) -> None:
    path = recording(tmp_path / "me.wav")
    before = say(engine_of(tiny_xtts, voice=str(path)), "Hello.")
    [kept] = cache.iterdir()
    kept.write_bytes(damage)
    np.testing.assert_array_equal(say(engine_of(tiny_xtts, voice=str(path)), "Hello."), before)
    assert len(kept.read_bytes()) > 1000


def test_objects_in_a_cache_are_not_unpickled(tiny_xtts: Path, tmp_path: Path, cache: Path) -> None:
    path = recording(tmp_path / "me.wav")
    before = say(engine_of(tiny_xtts, voice=str(path)), "Hello.")
    [kept] = cache.iterdir()
    np.savez(kept, latents=np.array([{"a": 1}], dtype=object), embedding=np.zeros(1))
    np.testing.assert_array_equal(say(engine_of(tiny_xtts, voice=str(path)), "Hello."), before)


def test_a_cache_that_cannot_be_written_costs_only_time(
    tiny_xtts: Path, tmp_path: Path, cache: Path
) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the directory should be")
    engine = engine_of(tiny_xtts, voice=str(recording(tmp_path / "me.wav")))
    assert len(say(engine, "Hello."))


def test_a_model_without_speakers_speaks_like_a_recording(tiny_xtts: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "model.pth", "vocab.json"):
        (model / name).symlink_to(tiny_xtts / name)
    engine = engine_of(model, voice=str(recording(tmp_path / "me.wav")))
    assert len(say(engine, "Hello."))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "cannot be read"),
        (b"", "not audio"),
        (b"this is text", "not audio"),
        ("short", "0.3 s"),
        ("silent", "silent"),
        ("empty", "silent"),
    ],
)
def test_a_recording_that_is_no_use(
    tiny_xtts: Path, tmp_path: Path, content: bytes | str | None, word: str
) -> None:
    path = tmp_path / "me.wav"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "short":
        recording(path, seconds=0.3)
    elif content is not None:
        soundfile.write(path, np.zeros(0 if content == "empty" else 40_000), 22_050)
    with pytest.raises(InputError) as caught:
        engine_of(tiny_xtts, voice=str(path))
    assert word in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.mend


def test_a_name_is_not_taken_for_a_file(tiny_xtts: Path) -> None:
    with pytest.raises(ConfigError, match="no voice 'me'"):
        engine_of(tiny_xtts, voice="me")
