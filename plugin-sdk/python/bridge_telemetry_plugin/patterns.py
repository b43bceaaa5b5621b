"""Regular expressions, searched by the host: for long texts, or many of them, faster than `re`. For validators, monitors and sinks."""

from wit_world.imports import patterns as host
from wit_world.imports import types

from .errors import asked


class Pattern:
    """A regular expression; the syntax is that of Rust's crate regex.

    It takes a part of the plugin's memory: make what every call searches for in `start`, since there is no host yet while the
    plugin's module is loaded.
    """

    def __init__(self, expression):
        self._host = asked(host.Pattern.compile, expression)

    def is_match(self, text):
        """Whether the text has it anywhere."""
        return asked(self._host.is_match, text)

    def find(self, texts):
        """For each of the texts the places where it is found, `(start, end)` to slice the text with; None for a text that is too
        long for this expression. One call for many texts is faster than one for each.
        """
        encoded = [text.encode() for text in texts]
        ends, length = [], 0
        for part in encoded:
            length += len(part)
            ends.append(length)
        findings = asked(self._host.find, types.TextColumn(b"".join(encoded), ends))
        places = [[] for _ in encoded]
        for found in findings.found:
            places[found.text].append((found.start, found.end))
        too_long = set(findings.given_up)
        return [None if text in too_long else _places(*found) for text, found in enumerate(zip(encoded, places))]

    def drop(self):
        """Gives its memory back: nothing can be searched for with it any more."""
        if self._host is not None:
            self._host.__exit__(None, None, None)
            self._host = None


def _places(encoded, found):
    """Places in UTF-8 as places in the text, from left to right."""
    if encoded.isascii():
        return found
    byte, character, places = 0, 0, []
    for place in found:
        both = []
        for end in place:
            character += len(str(encoded[byte:end], "utf-8"))
            byte = end
            both.append(character)
        places.append(tuple(both))
    return places
