"""A page of docs/guide as a list of steps, and what it means that a command
prints what the page shows."""

import dataclasses
import pathlib
import re

FENCE = re.compile(r"^```(\w+)?(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass
class Step:
    """One ```sh block and, if a ```text block follows, what it shows.

    mode is the word behind "sh", which a reader does not see: "again" for a
    block that is run until it prints what is shown, since devices are at work,
    "fails" for one whose last command must fail, else "".
    """

    line: int
    commands: str
    mode: str = ""
    shows: str = ""


def steps(page: pathlib.Path) -> list[Step]:
    """Returns the steps of a page in order."""
    text = page.read_text()
    found: list[Step] = []
    for block in FENCE.finditer(text):
        line = text.count("\n", 0, block.start()) + 1
        kind, mode, body = block[1], block[2] or "", block[3]
        if kind == "sh" and mode in ("", "again", "fails"):
            found.append(Step(line, body, mode))
        elif kind == "text" and not mode and found and not found[-1].shows:
            found[-1].shows = body
        else:
            raise SystemExit(f"{page}:{line}: a block of kind {kind} {mode} makes no sense here")
    return found


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
