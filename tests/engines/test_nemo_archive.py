"""A `.nemo` file that is damaged or hostile gives one clear error, and nothing in it runs."""

import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest

from voicebot_local.errors import ModelError
from voicebot_local.providers.asr.nemo_archive import open_archive

torch = pytest.importorskip("torch")

MODEL = Path(__file__).parents[1] / "data" / "nemo_tiny.nemo"
CONFIG, WEIGHTS = "./model_config.yaml", "./model_weights.ckpt"


@pytest.fixture
def remade(tmp_path):
    """The good archive with some members' content replaced or taken away, and members added."""

    def remake(replace=None, add=(), mode="w"):
        path = tmp_path / "remade.nemo"
        with tarfile.open(MODEL) as good, tarfile.open(path, mode) as tar:
            for member in good:
                content = good.extractfile(member).read() if member.isfile() else b""
                content = (replace or {}).get(member.name, content)
                if content is not None:
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
            for member, content in add:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        return path

    return remake


@pytest.fixture
def opened(tmp_path):
    """Opens an archive; fails where a file was written anywhere but in the folder for it."""
    folder = tmp_path / "into"
    folder.mkdir()

    def open_it(path):
        before = set(tmp_path.iterdir())
        try:
            return open_archive(path, folder)
        finally:
            assert set(tmp_path.iterdir()) == before
            assert all(p.is_file() and not p.is_symlink() for p in folder.iterdir())

    return open_it


def config_with(old, new):
    with tarfile.open(MODEL) as tar:
        config = tar.extractfile(CONFIG).read().decode()
    assert old in config
    return config.replace(old, new).encode()


def member(name, kind=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_a_good_archive_opens(opened, tmp_path):
    archive = opened(MODEL)
    assert archive.model_class == "EncDecHybridRNNTCTCBPEModel"
    assert all(isinstance(value, torch.Tensor) for value in archive.weights.values())
    assert any(p.name.endswith("tokenizer.model") for p in (tmp_path / "into").iterdir())


def test_a_compressed_archive_opens(opened, remade):
    assert opened(remade(mode="w:gz")).weights.keys() == opened(MODEL).weights.keys()


def test_no_path_of_the_machine_that_made_it_is_inside():
    with tarfile.open(MODEL) as tar:
        config = tar.extractfile(CONFIG).read().decode()
    assert "dir: tokenizer\n" in config
    assert not any(f": {start}" in config for start in ("/", "~", "\\"))
    assert MODEL.stat().st_size <= 4_600_000


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("../evil", tarfile.REGTYPE, ""),
        ("./a/../../evil", tarfile.REGTYPE, ""),
        ("/evil", tarfile.REGTYPE, ""),
        ("..\\evil", tarfile.REGTYPE, ""),
        ("./link", tarfile.SYMTYPE, "/etc/passwd"),
        ("./hard", tarfile.LNKTYPE, "./model_config.yaml"),
        ("./device", tarfile.CHRTYPE, ""),
        ("./pipe", tarfile.FIFOTYPE, ""),
    ],
)
def test_a_member_that_reaches_out_is_refused(opened, remade, name, kind, target):
    path = remade(add=[(member(name, kind, target), b"")])
    with pytest.raises(ModelError, match="not safe to load"):
        opened(path)


PREPROCESSOR = "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (PREPROCESSOR, "os.system"),
        (PREPROCESSOR, "nemo.collections.asr.parts.utils.manifest_utils.os.system"),
        (PREPROCESSOR, PREPROCESSOR + ".forward"),
        ("type: bpe", "type: bpe\n  custom_tokenizer:\n    _target_: os.system"),
        ("type: bpe", "type: bpe\n  params:\n  - cls: os.system"),
        ("type: bpe", "type: bpe\n  extra: ${oc.env:HOME}"),
    ],
)
def test_a_configuration_that_would_call_something_is_refused(opened, remade, old, new):
    with pytest.raises(ModelError, match="not safe to load"):
        opened(remade({CONFIG: config_with(old, new)}))


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def saved(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


@pytest.mark.parametrize("force", ["", "1"])
@pytest.mark.parametrize("save", [saved, pickle.dumps])
def test_weights_with_a_payload_do_not_run_it(opened, remade, tmp_path, monkeypatch, save, force):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", force)
    evil = tmp_path / "evil"
    with pytest.raises(ModelError, match="not safe to load"):
        opened(remade({WEIGHTS: save({"w": Payload(evil)})}))
    assert not evil.exists()


def zipped_nonsense():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


@pytest.mark.parametrize(
    "replace",
    [
        {CONFIG: None},
        {WEIGHTS: None},
        {CONFIG: b"\xff\xfe"},
        {CONFIG: b"a: [1, 2"},
        {CONFIG: b""},
        {CONFIG: b"- 1\n- 2\n"},
        {CONFIG: b"tokenizer: {type: bpe}\ntarget: nemo.collections.tts.models.FastPitchModel\n"},
        {WEIGHTS: b""},
        {WEIGHTS: b"not weights at all"},
        {WEIGHTS: zipped_nonsense()},
        {WEIGHTS: saved([1, 2])},
    ],
    ids=str,
)
def test_a_damaged_archive_is_named(opened, remade, replace):
    path = remade(replace)
    with pytest.raises(ModelError, match=r"remade\.nemo") as raised:
        opened(path)
    assert raised.value.mend


@pytest.mark.parametrize("kept", [0, 1, 300, 5_000, 200_000, 3_000_000])
def test_a_truncated_file_is_named(opened, tmp_path, kept):
    path = tmp_path / "cut.nemo"
    path.write_bytes(MODEL.read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"cut\.nemo"):
        opened(path)


def test_a_missing_file_and_a_folder_are_named(opened, tmp_path):
    for path in (tmp_path / "none.nemo", tmp_path / "into"):
        with pytest.raises(ModelError, match="There is no model file"):
            opened(path)
