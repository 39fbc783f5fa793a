"""Pages that are wrong, each in its own way: a test of the guide that lets one
of them pass is no test."""

import pathlib
import tempfile

from page import Wrong

START = "```sh\nexport A=1\n```\n```sh\ntrue\n```\n"

RIGHT = {
    "a line, a part of it, and lines": "```sh\necho a 1 b; echo c; seq 9; echo d $A\n```\n```text\na … b\nc\n…\nd 1\n```\n",
    "a command in the background": "```sh\n(sleep 0.3; echo late) &\n```\n```text\nlate\n```\n",
    "a command that prints more, later": "```sh again\necho x >>n; wc -l <n\n```\n```text\n3\n```\n",
    "a command that must fail": "```sh fails\necho no; false\n```\n```text\nno\n```\n",
    "a file that the reader saves": "Save `f.py`:\n\n```python f.py\nprint(1)\n```\n```sh\npython3 f.py\n```\n```text\n1\n```\n",
    "a port, given and by default": "```sh\nmuster serve --data d --check --api 127.0.0.1:8080\necho 8080 18080\n```\n```text\n…\n8080 18080\n```\n",
}

WRONG = {
    "a command fails": "```sh\nfalse\n```\n",
    "a command fails before the last": "```sh\nfalse\ntrue\n```\n",
    "a command fails in a pipe": "```sh\nfalse | true\n```\n",
    "there is no such command": "```sh\nnosuchcommand\n```\n",
    "a command ends the shell": "```sh\nexit 0\n```\n",
    "a command that must fail does not": "```sh fails\ntrue\n```\n",
    "it prints something else": "```sh\necho a\n```\n```text\nb\n```\n",
    "it prints more than is shown": "```sh\nseq 3\n```\n```text\n1\n2\n```\n",
    "it prints less than is shown": "```sh\nseq 2\n```\n```text\n1\n2\n3\n```\n",
    "it prints, and nothing is shown": "```sh\necho a\n```\n",
    "what differs is on another line": "```sh\necho a; echo b\n```\n```text\na…b\n```\n",
    "it never prints what is shown": "```sh again\necho a\n```\n```text\nb\n```\n",
    "it never ends": "```sh\nsleep 60\n```\n",
    "a file that the reader is not told to save": "Save it:\n\n```python f.py\nprint(1)\n```\n",
    "a file of which the reader was told earlier": "Save `f.py`.\n\nThis:\n\n```python f.py\nprint(1)\n```\n",
    "a file that is not Python": "Save `f.py`:\n\n```python f.py\nprint(\n```\n",
    "a file that is not JSON": "Save `f.json`:\n\n```json f.json\n{,}\n```\n",
    "a file that is not YAML": "Save `f.yml`:\n\n```yaml f.yml\n- a: [\n```\n",
    "a file that prints": "Save `f.py`:\n\n```python f.py\nprint(1)\n```\n```text\n1\n```\n",
    "a block with one word too many": "```sh again fails\nfalse\n```\n",
    "a block without an end": "```sh\nfalse\n",
    "a block of no kind": "```\ntrue\n```\n",
    "a folder that does not verify": "```sh\nmkdir -p d/db; echo x >d/db/CURRENT\n```\n",
    "a log that tells of a panic": "```sh\necho panic: x >x.log\n```\n",
}


def refused(check, muster) -> int:
    """Returns how many pages check judged rightly, or fails."""
    with tempfile.TemporaryDirectory(prefix="muster-guide-") as name:
        folder = pathlib.Path(name)
        (folder / "start.md").write_text(START)
        for what, text in (RIGHT | WRONG).items():
            (folder / "page.md").write_text(text)
            try:
                check(folder / "page.md", folder / "start.md", muster, 60 if what in RIGHT else 0.5)
                passed = True
            except Wrong:
                passed = False
            if passed != (what in RIGHT):
                raise SystemExit(f"guide: the check is no good: {what}, and it {'passed' if passed else 'did not pass'}")
    return len(RIGHT) + len(WRONG)
