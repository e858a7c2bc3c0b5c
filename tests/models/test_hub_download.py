"""Downloads from a hub on this machine that misbehaves in every way that the real one can."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.models.places import (
    FILES,
    WEIGHTS,
    Told,
    check_whole,
    hub,
    make_hub,
    manifest,
    root,
)
from tests.servers.hub import TOKEN, Fault, Hub
from voicebot_local.errors import ModelError
from voicebot_local.models import hub as hub_module
from voicebot_local.models.download import (
    Needs,
    OneAtATime,
    download,
    look_up,
    missing_of,
    require_room,
)
from voicebot_local.models.fetch import MOST_TRIES, Fetch, part_of
from voicebot_local.models.hub import Hub as HubSource
from voicebot_local.models.lock import read_lock
from voicebot_local.models.manifest import Manifest
from voicebot_local.models.source import RemoteFile

__all__ = ["hub", "manifest", "root"]


def no_pause(_: float) -> None:
    pass


def needs(hub: Hub, manifest: Manifest, root: Path, *names: str) -> Needs:
    source = HubSource(hub.endpoint)
    models = manifest.by_name(names) if names else manifest.model
    return look_up(models, source, root, pause=no_pause)


def thinker(hub: Hub, manifest: Manifest, root: Path) -> RemoteFile:
    (file,) = needs(hub, manifest, root, "thinker").files
    return file


def arrived(file: RemoteFile, root: Path, count: int) -> Path:
    """The part of `file` that an earlier download left: its first `count` bytes."""
    part = part_of(file, root)
    part.parent.mkdir(parents=True)
    part.write_bytes(WEIGHTS[:count])
    return part


def fetch(hub: Hub, root: Path, file: RemoteFile) -> Told:
    told = Told()
    Fetch(HubSource(hub.endpoint), root, told, threading.Event(), 0.001).fetch(file)
    return told


def test_the_hubs_own_client_takes_the_server_for_a_hub(hub: Hub, tmp_path: Path) -> None:
    from huggingface_hub import hf_hub_download

    for name, content in hub.repos["someone/speaker"].items():
        place = hf_hub_download(
            "someone/speaker", name, local_dir=tmp_path / "there", endpoint=hub.endpoint
        )
        assert Path(place).read_bytes() == content


def test_everything_is_fetched_checked_and_recorded(
    hub: Hub, manifest: Manifest, root: Path
) -> None:
    found = needs(hub, manifest, root)
    assert (found.size, found.here) == (sum(map(len, FILES.values())), ())
    told = Told()
    download(found.files, HubSource(hub.endpoint), root, told)
    check_whole(root)
    lock = read_lock(root)
    for path, content in FILES.items():
        assert lock.files[path].sha256 == hashlib.sha256(content).hexdigest()
        assert (lock.files[path].size, lock.files[path].checked) == (len(content), "hub")
        assert told.bytes[path] == 2 * len(content)
    assert lock.models["speaker"].commit == hub.commit
    assert missing_of(manifest.model, root) == ()


def test_nothing_is_fetched_twice(hub: Hub, manifest: Manifest, root: Path) -> None:
    download(needs(hub, manifest, root).files, HubSource(hub.endpoint), root, Told())
    again = needs(hub, manifest, root)
    assert (again.files, again.here) == ((), ("thinker", "speaker"))


@pytest.mark.parametrize("what", ["cut", "reset"])
def test_a_connection_that_is_cut_is_taken_up_where_it_broke(
    hub: Hub, manifest: Manifest, root: Path, what: str
) -> None:
    file = thinker(hub, manifest, root)
    hub.faults = [Fault("blobs", what, after=200_000), Fault("blobs", what, after=100_000)]  # type: ignore[arg-type]
    told = fetch(hub, root, file)
    check_whole(root, "thinker.gguf")
    assert [line for line in told.lines if "waits" in line] != []
    ranges = [line.split("=")[1] for line in hub.seen if "blobs" in line and "bytes=" in line]
    assert len(ranges) == 2
    # A reset may lose what was on its way, never what has arrived.
    assert 0 < int(ranges[0].rstrip("-")) <= 200_000
    assert int(ranges[0].rstrip("-")) < int(ranges[1].rstrip("-")) <= 300_000


def test_what_arrived_before_is_not_fetched_again(hub: Hub, manifest: Manifest, root: Path) -> None:
    file = thinker(hub, manifest, root)
    arrived(file, root, 300_000)
    told = fetch(hub, root, file)
    check_whole(root, "thinker.gguf")
    assert told.lines[0] == "thinker.gguf from 300000"
    assert hub.served == len(WEIGHTS) - 300_000


def test_a_server_that_ignores_ranges_makes_it_begin_anew(
    hub: Hub, manifest: Manifest, root: Path
) -> None:
    file = thinker(hub, manifest, root)
    arrived(file, root, 300_000)
    hub.faults = [Fault("blobs", "ignore range")]
    told = fetch(hub, root, file)
    check_whole(root, "thinker.gguf")
    assert told.lines[:2] == ["thinker.gguf from 300000", "thinker.gguf from 0"]


def test_a_wrong_checksum_leaves_nothing_behind(hub: Hub, manifest: Manifest, root: Path) -> None:
    file = thinker(hub, manifest, root)
    hub.faults = [Fault("blobs", "content")]
    with pytest.raises(ModelError, match="arrived damaged") as caught:
        fetch(hub, root, file)
    assert "run the same command again" in caught.value.mend
    assert not (root / "thinker.gguf").exists()
    assert list((root / ".downloads").glob("*.part")) == []
    fetch(hub, root, file)
    check_whole(root, "thinker.gguf")


def test_a_small_file_is_held_against_gits_checksum(
    hub: Hub, manifest: Manifest, root: Path
) -> None:
    config, _ = needs(hub, manifest, root, "speaker").files
    hub.faults = [Fault("config.json", "content")]
    with pytest.raises(ModelError, match=r"config\.json arrived damaged"):
        fetch(hub, root, config)


def test_a_file_that_grew_is_not_taken(hub: Hub, manifest: Manifest, root: Path) -> None:
    file = replace(thinker(hub, manifest, root), size=1000)
    with pytest.raises(ModelError, match="longer at its source"):
        fetch(hub, root, file)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_hub_is_asked_again(hub: Hub, manifest: Manifest, root: Path, status: int) -> None:
    hub.faults = [Fault("/api/", "status", status=status)]
    file = thinker(hub, manifest, root)
    hub.faults = [Fault("resolve", "status", status=status, headers={"Retry-After": "0"})]
    told = fetch(hub, root, file)
    check_whole(root, "thinker.gguf")
    assert any(f"({status})" in line for line in told.lines)


def test_a_hub_that_stays_busy_is_given_up_with_what_arrived_kept(
    hub: Hub, manifest: Manifest, root: Path
) -> None:
    file = thinker(hub, manifest, root)
    part = arrived(file, root, 100_000)
    hub.faults = [Fault("resolve", "status", status=503)] * MOST_TRIES
    with pytest.raises(ModelError, match=rf"503\), {MOST_TRIES} times in a row") as caught:
        fetch(hub, root, file)
    assert "kept" in caught.value.mend
    assert part.read_bytes() == WEIGHTS[:100_000]


def test_a_look_up_that_never_works_says_what_to_do(
    hub: Hub, manifest: Manifest, root: Path
) -> None:
    hub.faults = [Fault("/api/", "status", status=503)] * 4
    with pytest.raises(ModelError, match="could not be looked up") as caught:
        needs(hub, manifest, root, "thinker")
    assert "HTTPS_PROXY" in caught.value.mend
    assert "--from" in caught.value.mend


def test_no_hub_at_all(hub: Hub, manifest: Manifest, root: Path) -> None:
    hub.endpoint = "http://127.0.0.1:9"
    with pytest.raises(ModelError, match="does not answer"):
        needs(hub, manifest, root, "thinker")


def test_a_repository_that_is_private_or_gone(hub: Hub, manifest: Manifest, root: Path) -> None:
    del hub.repos["someone/thinker"]
    with pytest.raises(ModelError, match=r"someone/thinker \(401\)") as caught:
        needs(hub, manifest, root, "thinker")
    assert "export HF_TOKEN" in caught.value.mend


def test_a_token_that_is_refused(
    hub: Hub, manifest: Manifest, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    said = {"X-Error-Message": "Invalid credentials in Authorization header"}
    hub.faults = [Fault("/api/", "status", status=401, headers=said)]
    with pytest.raises(ModelError, match="refuses the token in HF_TOKEN") as caught:
        needs(hub, manifest, root, "thinker")
    assert "settings/tokens" in caught.value.mend
    assert "hf_old" not in f"{caught.value.message} {caught.value.mend}"


def test_a_gated_repository(
    hub: Hub, manifest: Manifest, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.gated.add("someone/thinker")
    file = thinker(hub, manifest, root)
    with pytest.raises(ModelError, match=r"not open to everybody \(403\)") as caught:
        fetch(hub, root, file)
    assert "Ask for access at https://huggingface.co/someone/thinker" in caught.value.mend
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetch(hub, root, file)
    check_whole(root, "thinker.gguf")
    assert hub.tokens_at_store == []


def test_a_file_that_the_repository_lost(hub: Hub, manifest: Manifest, root: Path) -> None:
    file = thinker(hub, manifest, root)
    del hub.repos["someone/thinker"]["thinker.gguf"]
    with pytest.raises(ModelError, match=r"has no file thinker\.gguf"):
        needs(hub, manifest, root, "thinker")
    with pytest.raises(ModelError, match=r"a file of it is gone \(404\)"):
        fetch(hub, root, file)


def test_a_newer_commit_is_taken_only_when_asked_for(
    hub: Hub, manifest: Manifest, root: Path
) -> None:
    source = HubSource(hub.endpoint)
    download(needs(hub, manifest, root, "thinker").files, source, root, Told())
    hub.commit = "c" * 40
    hub.repos["someone/thinker"]["thinker.gguf"] = WEIGHTS[:-1]
    models = manifest.by_name(["thinker"])
    with pytest.raises(ModelError, match="no revision") as caught:
        look_up(models, source, root, pause=no_pause)
    assert "--update thinker" in caught.value.mend
    found = look_up(models, source, root, update=True, pause=no_pause)
    download(found.files, source, root, Told())
    assert (root / "thinker.gguf").read_bytes() == WEIGHTS[:-1]
    assert read_lock(root).models["thinker"].commit == "c" * 40


def test_a_manifest_that_knows_better_than_the_hub(
    hub: Hub, manifest: Manifest, root: Path
) -> None:
    (model,) = manifest.by_name(["thinker"])
    other = model.model_copy(update={"sha256": {"thinker.gguf": "0" * 64}})
    with pytest.raises(ModelError, match=r"another thinker\.gguf than the one that manifest"):
        HubSource(hub.endpoint).look_up(other, "")


def test_the_client_told_to_stay_offline(manifest: Manifest, root: Path) -> None:
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE"):
        HubSource("http://127.0.0.1:9").look_up(manifest.model[0], "")


def test_an_address_that_is_none(hub: Hub, manifest: Manifest, root: Path) -> None:
    with pytest.raises(ModelError, match="which is no address"):
        HubSource("huggingface.co").look_up(manifest.model[0], "")


def test_a_proxy_is_used_and_blamed(
    hub: Hub, manifest: Manifest, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub.utils import close_session

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    close_session()  # The client reads the environment when it first connects.
    try:
        with pytest.raises(ModelError, match=r"does not answer|proxy"):
            needs(hub, manifest, root, "thinker")
        assert hub.seen == []
    finally:
        close_session()


def test_a_download_through_a_proxy(
    hub: Hub, manifest: Manifest, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server stands in for the proxy: it takes whole addresses, of a hub that is not there."""
    from huggingface_hub.utils import close_session

    monkeypatch.setenv("HTTP_PROXY", hub.endpoint)
    monkeypatch.setenv("NO_PROXY", "")
    close_session()
    hub.endpoint = "http://hub.example.org"
    hub.store = "http://store.example.org"
    try:
        fetch(hub, root, thinker(hub, manifest, root))
    finally:
        close_session()
    check_whole(root, "thinker.gguf")


def test_no_room_is_said_before_the_first_byte(hub: Hub, manifest: Manifest, root: Path) -> None:
    found = needs(hub, manifest, root)
    with pytest.raises(ModelError, match=r"needs 0\.00 GB and .* has 0\.00 GB free") as caught:
        require_room(found, root, lambda _: found.size)
    assert "VOICEBOT_MODELS" in caught.value.mend
    assert hub.served == 0
    require_room(found, root, lambda _: found.size + 200_000_000)


def test_what_is_here_already_needs_no_room(hub: Hub, manifest: Manifest, root: Path) -> None:
    file = thinker(hub, manifest, root)
    arrived(file, root, 300_000)
    require_room(Needs((file,), ()), root, lambda _: file.size - 300_000 + 200_000_000)


def test_a_disk_that_fills_up_is_said_and_nothing_is_put_in_place(
    hub: Hub, manifest: Manifest, root: Path
) -> None:
    file = thinker(hub, manifest, root)
    part = part_of(file, root)
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")  # The kernel's own full disk.
    with pytest.raises(ModelError, match="is full") as caught:
        fetch(hub, root, file)
    assert "goes on from here" in caught.value.mend
    assert not (root / "thinker.gguf").exists()


def test_a_directory_that_is_not_ours(hub: Hub, manifest: Manifest, root: Path) -> None:
    (root / ".downloads").write_text("no directory")
    with pytest.raises(ModelError, match="cannot be written"), OneAtATime(root, lambda: None):
        pass


def test_one_failure_stops_the_others_and_keeps_what_is_done(
    hub: Hub, manifest: Manifest, root: Path
) -> None:
    found = needs(hub, manifest, root)
    hub.gated.add("someone/speaker")
    with pytest.raises(ModelError, match="not open to everybody"):
        download(found.files, HubSource(hub.endpoint), root, Told())
    hub.gated.clear()
    download(needs(hub, manifest, root).files, HubSource(hub.endpoint), root, Told())
    check_whole(root)


def test_a_file_that_was_put_there_by_hand_is_checked_not_fetched(
    hub: Hub, manifest: Manifest, root: Path
) -> None:
    (root / "thinker.gguf").write_bytes(WEIGHTS)
    assert missing_of(manifest.by_name(["thinker"]), root) != ()
    download(needs(hub, manifest, root, "thinker").files, HubSource(hub.endpoint), root, Told())
    assert hub.served == 0
    assert read_lock(root).files["thinker.gguf"].checked == "hub"


def test_somebody_elses_file_is_not_overwritten(hub: Hub, manifest: Manifest, root: Path) -> None:
    (root / "thinker.gguf").write_bytes(b"my own")
    found = needs(hub, manifest, root, "thinker")
    with pytest.raises(ModelError, match=r"is there, and is not thinker\.gguf"):
        download(found.files, HubSource(hub.endpoint), root, Told())
    assert (root / "thinker.gguf").read_bytes() == b"my own"


def test_a_second_download_waits_for_the_first(root: Path) -> None:
    order: list[str] = []
    began, ended = threading.Event(), threading.Event()

    def second() -> None:
        with OneAtATime(root, lambda: (order.append("waits"), ended.set())):  # type: ignore[arg-type]
            order.append("second")

    with OneAtATime(root, lambda: order.append("never")):
        thread = threading.Thread(target=second)
        thread.start()
        began.set()
        assert ended.wait(10)
        order.append("first ends")
    thread.join(10)
    assert order == ["waits", "first ends", "second"]


def test_an_answer_that_stalls_is_a_cut(
    hub: Hub, manifest: Manifest, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = thinker(hub, manifest, root)
    monkeypatch.setattr(hub_module, "TIMEOUT_S", 0.2)
    hub.faults = [Fault("blobs", "stall")]
    told = fetch(hub, root, file)
    check_whole(root, "thinker.gguf")
    assert any("does not answer" in line for line in told.lines)


def test_the_example_hub_is_what_the_manifest_names() -> None:
    assert set(make_hub().repos) == {"someone/thinker", "someone/speaker"}
