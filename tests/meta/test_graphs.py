"""Capture and replay, with a stand-in for CUDA's graphs that runs on the CPU: a tape of torch's operations.

As a CUDA graph, the tape knows fixed tensors and what is done to them, no Python and no values: work that looks at a value is refused.
"""

from __future__ import annotations

import contextlib
import gc
import warnings
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from depthlimit.models import graphs
from depthlimit.models.graphs import Graphs
from depthlimit.models.torch_implementation import TorchImplementation

METHODS = ("forward", "loss", "gradients", "velocity")
CLIPS = (None, ("coordinate", 0.3), ("radial", 0.5), ("smooth", 0.4))


class Tape(TorchDispatchMode):
    """`torch.cuda.CUDAGraph`, as far as it is used: operations are recorded with their tensors, and `replay` does them again."""

    made: ClassVar[weakref.WeakSet[Tape]] = weakref.WeakSet()

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []
        self.made.add(self)

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        if function is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing")
        result = function(*args, **(kwargs or {}))
        self.steps.append((function, args, kwargs or {}, result))
        return result

    def replay(self) -> None:
        with torch.inference_mode():
            for function, args, kwargs, result in self.steps:
                again = function(*args, **kwargs)
                for old, new in zip(_tensors(result), _tensors(again), strict=True):
                    old.copy_(new)


def _tensors(result: Any) -> list[Tensor]:
    if isinstance(result, Tensor):
        return [result]
    return [tensor for part in result for tensor in _tensors(part)] if isinstance(result, list | tuple) else []


class Stream:
    """`torch.cuda.Stream`: the order in which others are waited for."""

    def __init__(self, device: Any = None) -> None:
        self.waited: list[Stream] = []

    def wait_stream(self, other: Stream) -> None:
        self.waited.append(other)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    """`torch.cuda` with the tape in the place of its graphs; what was asked of it, in this order."""
    asked: list[tuple[str, Any]] = []
    current = Stream()

    @contextlib.contextmanager
    def graph(tape: Tape, stream: Stream) -> Iterator[None]:
        asked.append(("capture", stream))
        with tape:
            yield
        for *_, result in tape.steps:  # capture computes nothing: there are no values before the first replay
            for tensor in _tensors(result):
                if tensor.is_floating_point() and tensor._base is None:
                    with torch.inference_mode():
                        tensor.fill_(float("nan"))

    @contextlib.contextmanager
    def stream(on: Stream) -> Iterator[None]:
        asked.append(("stream", on))
        yield

    for name, value in {
        "CUDAGraph": Tape,
        "Stream": Stream,
        "current_stream": lambda: current,
        "graph": graph,
        "stream": stream,
        "device": lambda device: contextlib.nullcontext(),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    graphs._side_stream.cache_clear()
    yield asked
    graphs._side_stream.cache_clear()


@pytest.fixture
def captured(stand_in: list[tuple[str, Any]]) -> TorchImplementation:
    """PyTorch on the CPU, as if it were on CUDA."""
    found = TorchImplementation()
    found.graphs = Graphs()
    return found


def network(seed: int, n: int = 3, pi: tuple[str, float] | None = None, a: float = 1.0) -> tuple[Any, ...]:
    """Arguments of `gradients`: a spec, parameters and data."""
    r = np.random.RandomState(seed)
    spec: dict[str, Any] = {"version": 1, "d": 2, "dout": 2, "q": 4, "m": 5, "L": 3, "n": n, "train": "AVWB", "rtol": 1e-9}
    spec |= {"activation": {"name": "tanh", "a": a, "b": 1.0}, "clip": pi and {"kind": pi[0], "radius": pi[1]}}
    params = {"A": r.randn(4, 2), "V": r.randn(3, 4, 5) / 2, "W": r.randn(3, 5, 4) / 2, "B": r.randn(2, 4)}
    return spec, params, r.randn(n, 2), r.randn(n, 2)


def equal(one: Any, two: Any) -> bool:
    if isinstance(one, Mapping):
        return set(one) == set(two) and all(np.array_equal(one[k], two[k]) for k in one)
    return bool(one == two)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pi", CLIPS, ids=str)
def test_a_replay_is_the_call(method: str, pi: tuple[str, float] | None, captured: TorchImplementation) -> None:
    """To the last bit, since the same operations run; keys do not mix, though their shapes are the same."""
    plain = TorchImplementation()
    for round in range(4):
        for n, a in ((3, 1.0), (3, 0.5), (2, 1.0)):
            given = network(10 * round + n, n, pi, a)[: 3 if method == "forward" else 4]
            assert equal(getattr(captured, method)(*given), getattr(plain, method)(*given)), (round, n, a)
    assert len(Tape.made) == 3


def test_a_batch_of_another_size_is_another_key(captured: TorchImplementation) -> None:
    plain = TorchImplementation()
    for seed in range(4):
        calls = [network(seed + i) for i in range(1 + seed % 2)]
        for one, two in zip(captured.batch("velocity", calls), plain.batch("velocity", calls), strict=True):
            assert equal(one, two)
    assert len(Tape.made) == 2


def test_a_flow_is_replayed(captured: TorchImplementation) -> None:
    given, times = network(1), np.array([0.0, 0.01, 0.1])
    assert equal(captured.flow(*given, times), TorchImplementation().flow(*given, times))
    assert len(Tape.made) == 2  # of velocity and of loss


def test_python_runs_until_the_second_call_and_no_more(stand_in: list[tuple[str, Any]]) -> None:
    calls = []

    def double(x: Tensor) -> dict[str, Tensor]:
        calls.append(x)
        return {"y": 2 * x}

    kept, counts = Graphs(), []
    for value in (1.0, 2.0, 3.0, 4.0):
        assert kept("double", double, [torch.tensor([value])])["y"].tolist() == [2 * value]
        counts.append(len(calls))
    assert counts == [1, 5, 5, 5]  # as it is; three warm-ups and the capture
    # Warm-up and capture run on one stream aside, which waits for what is under way and is waited for.
    (_, side), (_, same) = stand_in
    assert [word for word, _ in stand_in] == ["stream", "capture"] and side is same
    current = torch.cuda.current_stream()
    assert side.waited == [current] and current.waited == [side]


def test_answers_and_arguments_are_the_callers_own(stand_in: list[tuple[str, Any]]) -> None:
    kept = Graphs()
    given = [torch.tensor([float(j)]) for j in range(4)]
    answers = [kept("next", lambda x: {"y": x + 1}, [x])["y"] for x in given]
    assert [float(y) for y in answers] == [1, 2, 3, 4]
    for y in answers:
        y.fill_(-7)
    assert float(kept("next", lambda x: {"y": x + 1}, [torch.tensor([9.0])])["y"]) == 10
    assert [float(x) for x in given] == [0, 1, 2, 3]


def test_the_least_recently_used_key_is_forgotten_with_its_memory(stand_in: list[tuple[str, Any]]) -> None:
    kept, calls = Graphs(bound=2), []

    def ask(key: str, times: int = 1) -> None:
        for _ in range(times):
            kept(key, lambda x: calls.append(key) or {"y": x + 1}, [torch.zeros(1)])

    before = set(Tape.made)
    ask("a", 2)
    ask("b", 2)
    ask("a")  # now b is the older one
    assert len(set(Tape.made) - before) == 2
    ask("c", 2)
    gc.collect()
    assert len(set(Tape.made) - before) == 2
    calls.clear()
    ask("a")
    assert not calls  # still a replay
    ask("b")
    assert calls == ["b"]  # as if it had never been asked
    kept.clear()
    gc.collect()
    assert not set(Tape.made) - before


def test_work_that_looks_at_a_value_is_not_captured_and_a_warning_says_so_once(stand_in: list[tuple[str, Any]]) -> None:
    def looks(x: Tensor) -> dict[str, Tensor]:
        return {"y": x * (2 if float(x) > 0 else 3)}

    kept = Graphs()
    assert float(kept("looks", looks, [torch.tensor(1.0)])["y"]) == 2
    with pytest.warns(RuntimeWarning, match="not captured as a CUDA graph, so slower: operation not permitted"):
        assert float(kept("looks", looks, [torch.tensor(-1.0)])["y"]) == -3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert float(kept("looks", looks, [torch.tensor(1.0)])["y"]) == 2
        for x in (1.0, -1.0):
            assert float(kept("looks too", looks, [torch.tensor(x)])["y"]) == (2 if x > 0 else -3)
    for x in (1.0, 2.0, 3.0):  # others are captured all the same
        assert float(kept("next", lambda x: {"y": x + 1}, [torch.tensor(x)])["y"]) == x + 1
