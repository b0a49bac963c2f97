"""Warnings of the filter, each written once per process to VapourSynth's log."""

import vapoursynth as vs

_said: set[str] = set()


def notice(text: str) -> None:
    """Log ``text`` unless this process has logged it before; call it from VapourSynth's threads."""
    if text not in _said:
        _said.add(text)
        vs.core.log_message(vs.MESSAGE_TYPE_WARNING, f"dover: {text}")
