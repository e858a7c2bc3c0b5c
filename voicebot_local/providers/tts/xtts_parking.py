"""Moves a PyTorch model's weights between the device and the machine's memory."""

from __future__ import annotations

from typing import Any

import torch

from voicebot_local.providers.base import Steps

PART_BYTES = 64 << 20
"""Copied in one step: 3 ms at 20 GB/s, so that a recognizer is not kept waiting."""
_ALIGNED = 256


class MovingWeights:
    """All parameters and buffers of a module, in one block of memory for each dtype.

    One block is one allocation and a few large copies; from page-locked memory a copy runs at the
    full rate of the bus. The weights never change, so parking copies nothing: the copy in the
    machine's memory stays. Where the device is the CPU, both blocks are in the same memory.
    """

    def __init__(self, module: Any, device: Any) -> None:
        """The weights stay on the device until `park`, where they are not in blocks yet."""
        self._device = torch.device(device)
        self._tensors = [*module.parameters(), *module.buffers()]
        pinned = self._device.type == "cuda"
        self._host: dict[Any, Any] = {}
        self._places: list[tuple[Any, int, Any]] = []
        sizes: dict[Any, int] = {}
        for tensor in self._tensors:
            begin = sizes.get(tensor.dtype, 0)
            self._places.append((tensor.dtype, begin, tensor.shape))
            step = max(1, _ALIGNED // tensor.element_size())
            sizes[tensor.dtype] = begin + -(-tensor.numel() // step) * step
        for dtype, size in sizes.items():
            self._host[dtype] = torch.zeros(size, dtype=dtype, pin_memory=pinned)
        for tensor, view in zip(self._tensors, self._views(self._host), strict=True):
            view.copy_(tensor.data)

    @property
    def size(self) -> int:
        """Bytes that move."""
        return sum(block.numel() * block.element_size() for block in self._host.values())

    def park(self, steps: Steps) -> None:
        """Give the device's memory back. The module cannot compute until `unpark`."""
        with steps("park"):
            self._use(self._host)
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
                torch.cuda.empty_cache()

    def unpark(self, steps: Steps) -> None:
        """Have the weights on the device again. What a step raises leaves them parked."""
        there: dict[Any, Any] = {}
        for dtype, block in self._host.items():
            with steps("unpark"):
                there[dtype] = torch.empty_like(block, device=self._device, pin_memory=False)
            part = PART_BYTES // block.element_size()
            for begin in range(0, block.numel(), part):
                with steps("unpark"):
                    there[dtype][begin : begin + part].copy_(block[begin : begin + part])
                    if self._device.type == "cuda":
                        torch.cuda.synchronize(self._device)
        self._use(there)

    def _use(self, blocks: dict[Any, Any]) -> None:
        for tensor, view in zip(self._tensors, self._views(blocks), strict=True):
            tensor.data = view

    def _views(self, blocks: dict[Any, Any]) -> list[Any]:
        return [
            blocks[dtype][begin : begin + shape.numel()].view(shape)
            for dtype, begin, shape in self._places
        ]
