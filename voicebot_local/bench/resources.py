"""What a running conversation takes: processor time and memory of each of its processes."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from voicebot_local.bench.results import ProcessUse
from voicebot_local.gpu.memory import nvml_memory


@dataclass(slots=True)
class _Seen:
    load_cpu_s: float = 0.0
    cpu_s: float = 0.0
    peak_rss: int = 0
    command: str = ""


class ResourceWatch:
    """Looks at a process and its children whenever `look` is called; processes may come and go.

    What a process did after the last look at it is not counted.
    """

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._seen: dict[int, _Seen] = {}
        self._converses = False
        device = nvml_memory()
        self._free_before = self._free_least = device.free if device else None

    def look(self) -> None:
        """Note what each process has taken so far."""
        try:
            alive = [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return
        for process in alive:
            try:
                times, rss = process.cpu_times(), process.memory_info().rss
                seen = self._seen.setdefault(process.pid, _Seen())
                seen.command = seen.command or " ".join(process.cmdline()[:4])
            except psutil.Error:
                continue  # It has just ended.
            used = times.user + times.system
            if self._converses:
                seen.cpu_s = used - seen.load_cpu_s
            else:
                seen.load_cpu_s = used
            seen.peak_rss = max(seen.peak_rss, rss)

    def look_at_device(self) -> None:
        """Note how much memory of the GPU is free; without effect where there is none."""
        if self._free_least is not None and (device := nvml_memory()) is not None:
            self._free_least = min(self._free_least, device.free)

    def conversation_begins(self) -> None:
        """The models are loaded: processor time counts as the conversation's from here on."""
        self.look()
        self._converses = True

    @property
    def vram_bytes(self) -> int | None:
        """The most of the GPU's memory that was taken since the start, by whomever."""
        if self._free_before is None or self._free_least is None:
            return None
        return self._free_before - self._free_least

    def uses(self, names: dict[int, str]) -> dict[str, ProcessUse]:
        """By name: `names` of process ids, else "session" for the root and "broker" or "other"."""
        found: dict[str, ProcessUse] = {}
        for pid, seen in self._seen.items():
            name = names.get(pid) or self._name(pid, seen.command)
            before = found.get(name, ProcessUse(0.0, 0.0, 0))
            found[name] = ProcessUse(
                round(before.load_cpu_s + seen.load_cpu_s, 3),
                round(before.cpu_s + seen.cpu_s, 3),
                max(before.peak_rss_bytes, seen.peak_rss),
            )
        return found

    def _name(self, pid: int, command: str) -> str:
        if pid == self._root.pid:
            return "session"
        return "broker" if "gpu.broker" in command else "other"
