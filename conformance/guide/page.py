"""A page of docs/guide as a list of steps, and what it means that a command
prints what the page shows."""

import dataclasses
import json
import pathlib
import re
from typing import Callable

import yaml

FENCE = re.compile(r"^```(\w+)?(?: ([\w./-]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# MODES are the words after "sh" that tell how a block is run. Any other word
# is the name of a file.
MODES = ("", "again", "fails")

# READERS parse the files that a page may have its reader save, by the word that
# begins the block. Not every file is used by a command of its page; each must at
# least be one of its kind.
READERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "python": lambda text: compile(text, "page", "exec"),
    "sh": str,  # bash says when it runs the file
    "yaml": yaml.safe_load,
}


class Wrong(Exception):
    """A page is not what it should be, or a step did not do what its page says."""


@dataclasses.dataclass
class Step:
    """One ```sh block and, if a ```text block follows, what it shows; or a
    block that the reader saves as a file.

    mode is the word after "sh", which a reader does not see: "again" for a
    block that is run until it prints what is shown, since devices are at work,
    "fails" for one whose last command must fail, else "". file is the name of a
    file, which the paragraph before the block must have told the reader; the
    step then only writes text to it.
    """

    line: int
    text: str
    mode: str = ""
    shows: str = ""
    file: str = ""


def steps(page: pathlib.Path, ports: dict[str, str]) -> list[Step]:
    """Returns the steps of a page in order. Each port number that is a key of
    ports becomes another one, wherever the page has it."""
    text = page.read_text()
    found: list[Step] = []
    blocks = list(FENCE.finditer(text))
    if len(re.findall(r"^```", text, re.MULTILINE)) != 2 * len(blocks):
        raise Wrong(f"{page}: a block does not end, or begins with more than a kind and one word")
    for block in blocks:
        line = text.count("\n", 0, block.start()) + 1
        kind, word, body = block[1], block[2] or "", _ported(block[3], ports)
        if kind == "sh" and word in MODES:
            found.append(Step(line, body, mode=word))
        elif kind == "text" and not word and found and not found[-1].shows and not found[-1].file:
            found[-1].shows = body
        elif kind in READERS and word:
            before = text[: block.start()].rstrip("\n").rpartition("\n\n")[2]
            if f"`{word}`" not in before:
                raise Wrong(f"{page}:{line}: the paragraph before this block does not tell the reader to save it as `{word}`")
            try:
                READERS[kind](body)
            except (ValueError, SyntaxError, yaml.YAMLError) as error:
                raise Wrong(f"{page}:{line}: {word} is not {kind}: {error}") from None
            found.append(Step(line, body, file=word))
        else:
            raise Wrong(f"{page}:{line}: a block of kind {kind} {word} makes no sense here")
    return found


def _ported(text: str, ports: dict[str, str]) -> str:
    if not ports:
        return text
    return re.sub(rf"(?<![\w.])({'|'.join(ports)})(?![\w.])", lambda found: ports[found[1]], text)


def difference(shown: str, printed: str) -> str:
    """Returns "" when a command printed what a page shows.

    Spaces and tabs count as one space, and empty lines not at all. In what is
    shown, … stands for any text of a line and, alone on a line, for any number
    of lines.
    """
    want, got = _lines(shown), _lines(printed)
    if _matches(want, got):
        return ""
    return "the page shows\n" + indented(want) + "\nbut it printed\n" + indented(got)


def _lines(text: str) -> list[str]:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [line for line in lines if line]


def _matches(want: list[str], got: list[str]) -> bool:
    pattern = "".join(
        r"(?:.*\n)*" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n" for line in want
    )
    return re.fullmatch(pattern, "".join(line + "\n" for line in got)) is not None


def indented(lines: list[str]) -> str:
    return "\n".join("    " + line for line in lines) or "    nothing"
