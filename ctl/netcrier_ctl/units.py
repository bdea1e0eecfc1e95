"""Times, durations and sizes: as people write them, and as they read them."""

from __future__ import annotations

import time

SECOND_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
"""What may follow a number where netctl takes a duration; none is seconds."""

NONE = "–"  # noqa: RUF001 - an en dash, as in a printed table
"""A value that is not known."""

_LARGEST_FIRST = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def seconds_of(text: str) -> float:
    """`5m`, `1.5 h`, `200ms`, `30`: a duration in seconds, more than 0. Raises ValueError."""
    number = text.strip().rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text.strip()[len(number) :]
    scale = SECOND_UNITS.get(unit or "s")
    if scale is None:
        raise ValueError(f"{text!r}: a duration ends in {', '.join(SECOND_UNITS)}, as 5m")
    try:
        seconds = float(number) * scale
    except ValueError:
        raise ValueError(f"{text!r} is not a duration, as 5m or 30s") from None
    if not 0 < seconds < 1e10:
        raise ValueError(f"{text!r}: a duration is more than 0")
    return seconds


def span(seconds: float) -> str:
    """In the two largest units: `3 d 4 h`, `12 min 5 s`, `42 s`."""
    left = max(0, int(seconds))
    for index, (unit, size) in enumerate(_LARGEST_FIRST):
        if left >= size:
            count, left = divmod(left, size)
            smaller, smaller_size = _LARGEST_FIRST[min(index + 1, len(_LARGEST_FIRST) - 1)]
            rest = left // smaller_size
            return f"{count} {unit} {rest} {smaller}" if rest else f"{count} {unit}"
    return "0 s"


def age(seconds: float) -> str:
    """In the largest unit: `12 s`, `2 min`, `2 h`, `3 d`."""
    whole = max(0, int(seconds))
    for unit, size in _LARGEST_FIRST:
        if whole >= size:
            return f"{whole // size} {unit}"
    return "0 s"


def since(seen: float | None, now: float) -> str:
    """How long something has been silent: `12 s`, `2 h`, `since Tuesday`, `since 2026-11-02`."""
    if seen is None:
        return "not heard since the start"
    silent = now - seen
    if silent < 2 * 86400:
        return age(silent)
    return f"since {time.strftime('%A' if silent < 6 * 86400 else '%Y-%m-%d', time.localtime(seen))}"


def clock(at: float, now: float) -> str:
    """Local time: `14:02:11` today, else `2026-11-22 14:02:11`."""
    then, today = time.localtime(at), time.localtime(now)
    same_day = then[:3] == today[:3]
    return time.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S", then)


def milliseconds(value: float | None) -> str:
    """`0.3 ms`, `47 ms`, `1.2 s`; a dash for None."""
    if value is None:
        return NONE
    if value >= 9999.5:
        return f"{value / 1000:.0f} s"
    if value >= 999.5:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 9.95 else f"{value:.1f} ms"


def duration(seconds: float | None) -> str:
    """Of a conversation: `0.4 ms`, `12.4 s`, `2 min 5 s`; a dash for None."""
    if seconds is None:
        return NONE
    if seconds >= 60:
        return span(seconds)
    return f"{seconds:.1f} s" if seconds >= 0.9995 else milliseconds(seconds * 1000)


def size(count: int | None) -> str:
    """`512 B`, `4.1 kB`, `1.2 MB`; a kB is 1000 bytes; a dash for None."""
    if count is None:
        return NONE
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} PB"
