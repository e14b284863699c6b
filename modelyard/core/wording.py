"""What another library says, as a part of a message of ours."""

import re

_SENTENCE_END = re.compile(r"[.!?](?= )")


def one_line(text: object, most: int) -> str:
    """Return the text in one line: its first sentences, as many whole ones as `most` characters hold; of a longer first
    one its first words, and three dots."""
    line = " ".join(str(text).split())
    if len(line) <= most:
        return line
    ends = [found.end() for found in _SENTENCE_END.finditer(line, 0, most + 1)]
    if ends:
        return line[: ends[-1]]
    words = line[: most - 3].rpartition(" ")[0] or line[: most - 3]
    return words.rstrip(",;:") + "..."
