"""Voices of one's own: what is taken, what is refused, and what is advised."""

from __future__ import annotations

import pickle
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicebot_local import paths
from voicebot_local.config import load_config
from voicebot_local.errors import InputError, ModelError
from voicebot_local.providers.tts.espeak import EspeakConfig
from voicebot_local.providers.tts.xtts import XttsConfig
from voicebot_local.voices import add_voice, model_voices, own_voices, remove_voice

RATE = 44_100


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def speech(
    path: Path, seconds: float = 8.0, level: float = 0.2, floor: float = 1e-4, rate: int = RATE
) -> Path:
    """Noise that comes and goes as speech does, three quarters of each second, in two channels."""
    random = np.random.default_rng(1)
    sound = random.normal(0, 1, round(seconds * rate))
    loud = np.arange(len(sound)) % rate < 0.75 * rate
    sound *= np.where(loud, level, floor)
    soundfile.write(path, np.clip(np.stack([sound, sound], axis=1), -1, 1), rate)
    return path


def test_a_voice_is_kept_found_and_removed(tmp_path: Path) -> None:
    voice, advice = add_voice("Anna B.", speech(tmp_path / "a.wav"))
    assert advice == []
    assert voice.path == paths.voices_dir() / "Anna B..wav"
    assert voice.seconds == pytest.approx(8.0, abs=0.01)
    info = soundfile.info(voice.path)
    assert (info.samplerate, info.channels) == (24_000, 1)
    assert stat.S_IMODE(voice.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.voices_dir().stat().st_mode) == 0o700
    assert own_voices() == [voice]
    assert paths.own_voice("anna b.") == voice.path
    assert remove_voice("ANNA B.") == voice
    assert (own_voices(), paths.own_voice("Anna B.")) == ([], None)
    with pytest.raises(InputError, match="You have no voice"):
        remove_voice("Anna B.")


def test_a_configuration_names_it_like_any_voice(tmp_path: Path) -> None:
    voice, _ = add_voice("anna", speech(tmp_path / "a.wav"))
    config = load_config("local", None, [("--voice", "synthesizer.voice", "Anna")])
    assert config.synthesizer.voice == str(voice.path)
    assert load_config("local").synthesizer.voice == "Claribel Dervla"


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    add_voice("anna", speech(tmp_path / "a.wav"))
    longer = speech(tmp_path / "b.wav", 12.0)
    with pytest.raises(InputError, match="There is a voice 'anna' already"):
        add_voice("Anna", longer)
    voice, _ = add_voice("Anna", longer, replace=True)
    assert (voice.name, voice.seconds) == ("anna", pytest.approx(12.0, abs=0.01))
    assert len(own_voices()) == 1


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 41])
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is no name for a voice"):
        add_voice(name, speech(tmp_path / "a.wav"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seconds": 1.0}, r"is only 1\.0 s long"),
        ({"level": 1e-3}, "is too quiet"),
        ({"level": 1.0}, "is clipped"),
        ({"rate": 8_000}, "as a telephone has"),
    ],
)
def test_a_recording_of_no_use(tmp_path: Path, settings: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words) as raised:
        add_voice("anna", speech(tmp_path / "a.wav", **settings))  # type: ignore[arg-type]
    assert "Record 6 to 30 seconds" in raised.value.mend
    assert own_voices() == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seconds": 4.0}, "It is short"),
        ({"seconds": 40.0}, "Its first 30 s are used, of 40 s."),
        ({"level": 0.01}, "It is quiet"),
        ({"level": 0.36}, "A few samples are clipped"),
        ({"floor": 0.05}, "is there noise?"),
    ],
)
def test_a_recording_that_could_be_better(
    tmp_path: Path, settings: dict[str, float], words: str
) -> None:
    voice, advice = add_voice("anna", speech(tmp_path / "a.wav", **settings))  # type: ignore[arg-type]
    assert len(advice) == 1
    assert words in advice[0]
    assert voice.seconds <= 30


def test_a_recording_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        add_voice("anna", tmp_path / "none.wav")


def test_the_voices_of_espeak() -> None:
    names = model_voices(EspeakConfig())
    assert {"en-us", "en-gb", "de"} <= set(names)
    assert not any("/" in name for name in names)


def test_the_voices_of_xtts_without_torch(tmp_path: Path) -> None:
    config = XttsConfig(model=tmp_path, voice="x")
    assert model_voices(config) == []
    with zipfile.ZipFile(tmp_path / "speakers_xtts.pth", "w") as archive:
        archive.writestr("s/data.pkl", pickle.dumps({"Damien Black": {}, "Ana Florence": {}}))
    assert model_voices(config) == ["Ana Florence", "Damien Black"]
    (tmp_path / "speakers_xtts.pth").write_bytes(b"no zip")
    with pytest.raises(ModelError, match="is not a list of XTTS speakers"):
        model_voices(config)
