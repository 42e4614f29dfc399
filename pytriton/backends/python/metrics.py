"""MetricFamily and Metric: a model's own series in the server's metrics.

A call only adds to a number of this process (well under a microsecond). What was collected goes to
the server before every response, before a value is read, and otherwise within a tenth of a second
by a thread that sleeps while nothing changes. The server adds up what its workers send, so series
are shared by all instances.
"""

from __future__ import annotations

import bisect
import contextlib
import enum
import queue
import threading
import weakref
from typing import Any, Dict, List, Optional, Tuple

from .._channel import CallError, Channel
from . import runtime
from .errors import TritonModelException

_FLUSH_SECONDS = 0.1
_QUIET_ROUNDS = 10  # flusher rounds without a change until it sleeps


class MetricKind(enum.IntEnum):
    """Kinds of metrics."""

    COUNTER = 0
    GAUGE = 1
    HISTOGRAM = 2


_COUNTER, _GAUGE, _HISTOGRAM = MetricKind


class _Series:
    """What changed in one series since the last flush; shared by all its handles here."""

    __slots__ = ("__weakref__", "bounds", "counts", "is_dirty", "is_set", "number", "sum", "value")

    def __init__(self, number: int, bounds: List[float]) -> None:
        self.number = number
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.is_dirty = False
        self.is_set = False
        self.value = 0.0
        self.sum = 0.0

    def take(self) -> Tuple[int, bool, float, Optional[List[int]], float]:
        counts = None
        if self.bounds:
            counts, self.counts = self.counts, [0] * len(self.counts)
        update = (self.number, self.is_set, self.value, counts, self.sum)
        self.is_dirty = self.is_set = False
        self.value = self.sum = 0.0
        return update


_lock = threading.Lock()  # guards every series and _dirty; held for an instant, never around a call
_dirty: List[_Series] = []
_series: weakref.WeakValueDictionary[int, _Series] = weakref.WeakValueDictionary()
# Finalizers leave notes of what was dropped here; None only wakes the flusher. They may run inside
# anything, so it must be a queue that may be entered again.
_notes: queue.SimpleQueue[Optional[Dict[str, int]]] = queue.SimpleQueue()
_is_idle = False  # the flusher sleeps until a note comes; under _lock
_flusher: Optional[threading.Thread] = None


def flush(channel: Channel) -> None:
    """Hands what changed to the server; costs next to nothing when nothing did."""
    if not _dirty:
        return
    with _lock:
        updates = [series.take() for series in _dirty]
        _dirty.clear()
    channel.update_metrics(updates)


def _drop(channel: Channel, note: Optional[Dict[str, int]]) -> None:
    if note is not None:
        with contextlib.suppress(CallError):  # it may have gone already
            channel.call("metric_drop", note)


def _await_note(channel: Channel) -> None:
    global _is_idle
    with _lock:
        _is_idle = not _dirty
    if _is_idle:
        _drop(channel, _notes.get())
        _is_idle = False


def _run_flusher(channel: Channel) -> None:
    idle_rounds = 0
    pause = threading.Event()
    while True:
        if idle_rounds >= _QUIET_ROUNDS:
            _await_note(channel)
            idle_rounds = 0
        pause.wait(_FLUSH_SECONDS)
        idle_rounds = 0 if _dirty else idle_rounds + 1
        flush(channel)
        while not _notes.empty():
            _drop(channel, _notes.get())


def _ensure_flusher(channel: Channel) -> None:
    global _flusher
    if _flusher is None:
        _flusher = threading.Thread(
            target=_run_flusher, args=(channel,), name="metrics", daemon=True
        )
        _flusher.start()


def _mark(series: _Series) -> None:
    """REQUIRES: _lock is held."""
    global _is_idle
    series.is_dirty = True
    _dirty.append(series)
    if _is_idle:
        _is_idle = False
        _notes.put(None)


class _Life:
    """Whether a family's handle still exists; its metrics look at it."""

    __slots__ = ("is_over",)

    def __init__(self) -> None:
        self.is_over = False


class Metric:
    """One series of a family; models get it from `MetricFamily.Metric`."""

    __slots__ = ("__weakref__", "_family", "_kind", "_number", "_series")

    def __init__(self, kind: MetricKind, series: _Series, family: _Life) -> None:
        self._kind = kind
        self._series = series
        self._number = series.number
        self._family = family

    def __del__(self) -> None:
        _notes.put({"metric": self._number})

    def _fail(self, verb: str, text: str) -> None:
        raise runtime.current().failed(f"Failed to {verb} metric value", text)

    def _check(self, value: Any, verb: str, *kinds: MetricKind) -> float:
        if self._family.is_over:
            raise TritonModelException(
                "Invalid metric operation as the corresponding 'MetricFamily' has been deleted. "
                "The 'MetricFamily' object should be deleted AFTER its corresponding 'Metric' "
                "objects have been deleted."
            )
        if self._kind not in kinds:
            self._fail(
                "get" if verb == "value" else verb,
                f"TRITONSERVER_METRIC_KIND_{self._kind.name} does not support {verb.capitalize()}",
            )
        try:
            return float(value)
        except ValueError:
            raise TypeError(f"expected a number, got {value!r}") from None

    def increment(self, value: float) -> None:
        """Adds to a counter or gauge.

        Raises:
            TypeError: no number.
            TritonModelException: a histogram, or a negative number for a counter.
        """
        number = self._check(value, "increment", _COUNTER, _GAUGE)
        if self._kind is _COUNTER and not number >= 0:
            self._fail(
                "increment",
                "TRITONSERVER_METRIC_KIND_COUNTER can only be incremented monotonically by "
                "non-negative values.",
            )
        series = self._series
        with _lock:
            series.value += number
            if not series.is_dirty:
                _mark(series)

    def set(self, value: float) -> None:
        """Sets a gauge.

        Raises:
            TypeError: no number.
            TritonModelException: no gauge.
        """
        number = self._check(value, "set", _GAUGE)
        series = self._series
        with _lock:
            series.value = number
            series.is_set = True
            if not series.is_dirty:
                _mark(series)

    def observe(self, value: float) -> None:
        """Counts an observation of a histogram.

        Raises:
            TypeError: no number.
            TritonModelException: no histogram.
        """
        number = self._check(value, "observe", _HISTOGRAM)
        series = self._series
        with _lock:
            series.counts[bisect.bisect_left(series.bounds, number)] += 1
            series.sum += number
            if not series.is_dirty:
                _mark(series)

    def value(self) -> float:
        """The value of a counter or gauge, all instances taken together.

        Raises:
            TritonModelException: a histogram.
        """
        self._check(0, "value", _COUNTER, _GAUGE)
        channel = runtime.current().channel
        flush(channel)
        try:
            return float(channel.call("metric_value", {"metric": self._number})["value"])
        except CallError as error:
            raise runtime.current().failed("Failed to get metric value", str(error)) from None


class MetricFamily:
    """A named group of series, which differ by their labels.

    Args:
        name: its name in the server's metrics.
        description: its help text; the first family of a name decides.
        kind: MetricFamily.COUNTER, GAUGE or HISTOGRAM.

    Raises:
        TypeError: arguments of other types.
        TritonModelException: the name is not allowed, or used with another kind.
    """

    __slots__ = ("__weakref__", "_kind", "_life", "_number")

    COUNTER = MetricKind.COUNTER
    GAUGE = MetricKind.GAUGE
    HISTOGRAM = MetricKind.HISTOGRAM

    def __init__(self, name: str, description: str, kind: MetricKind) -> None:
        if (
            not isinstance(name, str)
            or not isinstance(description, str)
            or not isinstance(kind, MetricKind)
        ):
            raise TypeError(
                "incompatible constructor arguments: expected MetricFamily(name: str, "
                "description: str, kind: MetricKind)"
            )
        current = runtime.current()
        payload = {"name": name, "description": description, "kind": int(kind)}
        try:
            answer = current.channel.call("metric_family", payload)
        except CallError as error:
            raise current.failed("Error when creating MetricFamily", str(error)) from None
        self._kind = kind
        self._number = int(answer["family"])
        self._life = _Life()
        _ensure_flusher(current.channel)

    def __del__(self) -> None:
        try:
            self._life.is_over = True
            _notes.put({"family": self._number})
        except AttributeError:
            pass  # the constructor failed

    def Metric(self, labels: Any = None, buckets: Any = None) -> Metric:
        """The series with these labels; the same one for the same labels.

        Args:
            labels: dict of str to str; None: no labels.
            buckets: list of ascending upper bounds, for histograms and only for them.

        Raises:
            TritonModelException: labels or buckets of other types, or not fit for the kind.
        """
        bounds = _check_metric(self._kind, labels, buckets)
        current = runtime.current()
        payload = {"family": self._number, "labels": labels or {}, "buckets": bounds}
        try:
            answer = current.channel.call("metric", payload)
        except CallError as error:
            raise current.failed("Error when creating Metric", str(error)) from None
        number = int(answer["metric"])
        bounds = [float(bound) for bound in answer.get("buckets", bounds)]
        with _lock:
            series = _series.get(number)
            if series is None:
                series = _series[number] = _Series(number, bounds)
        return Metric(self._kind, series, self._life)


def _check_metric(kind: MetricKind, labels: Any, buckets: Any) -> List[float]:
    def refuse(text: str) -> TritonModelException:
        return runtime.current().failed("Error when creating Metric", text)

    if labels is not None:
        if not isinstance(labels, dict):
            raise TritonModelException("Failed to create metric. Labels must be a dictionary.")
        for key, value in labels.items():
            if not isinstance(key, str) or not isinstance(value, str):
                raise refuse("attempt to access JSON non-string as string")
    if kind is not _HISTOGRAM:
        if buckets is not None:
            raise TritonModelException("Failed to create metric. Unexpected buckets found.")
        return []
    if buckets is None:
        raise TritonModelException("Failed to create metric. Missing required buckets.")
    if not isinstance(buckets, list):
        raise TritonModelException("Failed to create metric. Buckets must be a list.")
    bounds = [float(bound) for bound in buckets]
    if any(not low < high for low, high in zip(bounds, bounds[1:])):
        raise refuse(f"expected buckets in ascending order, got {bounds}")
    return bounds
