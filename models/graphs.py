"""CUDA graphs: work on tensors of one shape is captured once and replayed, one launch for thousands of kernels.

    graphs = Graphs()
    graphs(key, function, tensors)      # function(*tensors), captured when its key is asked for a second time

`function` must do the same for all tensors of these shapes and hand back a dict of tensors; `key` stands for the function and the
shapes. The least recently used keys are forgotten, and their memory, about that of one call each, goes back to torch. Only `record`
knows of CUDA.
"""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence

import torch
from torch import Tensor

Function = Callable[..., Mapping[str, Tensor]]
Recorded = tuple[Callable[[], object], Mapping[str, Tensor]]
_WARM_UPS = 3  # calls before capture, as torch asks: libraries choose their kernels and workspaces in them


def record(function: Callable[[], Mapping[str, Tensor]], device: torch.device) -> Recorded:
    """Capture a function on a CUDA device: what replays it, and the tensors that each replay writes to."""
    with torch.cuda.device(device):
        side, now = _side_stream(device), torch.cuda.current_stream()
        side.wait_stream(now)
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                function()
        now.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side):
            outputs = function()
        return graph.replay, outputs


@functools.cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """One for all captures: cuBLAS keeps a workspace for each stream."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class Graphs:
    """See the module. At most `bound` keys are kept; `recorder` is `record`, or what stands in for it."""

    def __init__(self, bound: int = 4, recorder: Callable[[Callable[[], Mapping[str, Tensor]], torch.device], Recorded] = record) -> None:
        self.bound, self._record = bound, recorder
        self._kept: OrderedDict[Hashable, Function | None] = OrderedDict()  # None: asked for once
        self._told = False

    def __call__(self, key: Hashable, function: Function, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
        """function(*tensors), in tensors of the caller's own. Where capture fails it is called as it is, and a warning says so once."""
        asked_before = key in self._kept
        answer = self._kept.pop(key, None)
        while len(self._kept) >= self.bound:
            self._kept.popitem(last=False)
        if asked_before and answer is None:
            answer = self._capture(function, tensors)
        self._kept[key] = answer
        return dict((answer or function)(*tensors))

    def clear(self) -> None:
        """Forget all keys; their memory goes back to torch."""
        self._kept.clear()

    def _capture(self, function: Function, tensors: Sequence[Tensor]) -> Function:
        buffers = [tensor.clone() for tensor in tensors]
        try:
            replay, outputs = self._record(lambda: function(*buffers), buffers[0].device)
        except RuntimeError as error:  # torch raises no narrower one; out of memory is one of them, so the others are given up
            self.clear()
            if not self._told:
                self._told = True
                warnings.warn(f"not captured as a CUDA graph, so slower: {error}", RuntimeWarning, stacklevel=2)
            return function

        def replayed(*given: Tensor) -> Mapping[str, Tensor]:
            for buffer, tensor in zip(buffers, given, strict=True):
                buffer.copy_(tensor)
            replay()
            return {name: output.clone() for name, output in outputs.items()}

        return replayed
