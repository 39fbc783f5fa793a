"""The commands that explanations give: the stock AWS CLI understands each of them, and the server answers it."""

import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SITUATIONS = Path(__file__).parents[2] / "explain" / "testdata" / "situations.txt"


def test_the_aws_cli_understands_what_explanations_advise(server):
    forms = {}
    for command in re.findall(r"^ +\$ (aws .*?)  # ", SITUATIONS.read_text(), re.M):
        argv = shlex.split(command)
        forms.setdefault((argv[2], *[word for word in argv if word.startswith("--")]), argv)
    assert len(forms) > 10
    environment = {
        **os.environ,
        "AWS_SHARED_CREDENTIALS_FILE": server["credentials_file"],
        "AWS_DEFAULT_REGION": server["region"],
        "AWS_ENDPOINT_URL": server["api_url"],
        "AWS_PAGER": "",
    }
    aws = os.environ.get("AWS") or os.path.join(os.path.dirname(sys.executable), "aws")

    def run(argv):
        return argv, subprocess.run([aws, *argv[1:]], env=environment, capture_output=True, text=True, timeout=60, check=False)

    with ThreadPoolExecutor(2) as pool:
        for argv, done in pool.map(run, forms.values()):
            # What the command names is not there, which only the server can say.
            assert done.returncode == 0 or "An error occurred (" in done.stderr, f"{argv}: {done.stderr}"
            assert "ValidationException" not in done.stderr, f"{argv}: {done.stderr}"
