"""A folder in which somebody keeps endpoints: their files, a home, and commands typed there.

Most commands are typed in this process, for an import of the catalog costs more than what they do; those that
leave another process behind (`invoke`) and those that wait for one (`stream`) are processes of their own.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

from flow.mill import Ended, Mill
from gristmill.cli.main import main

# Says of each file its name, the word of the model, that of the deployment, and how many files came with it.
# A file that holds `bad` cannot be read; one that holds `wait` waits until somebody has written `go`.
SCRIPT = """
import os, time
from pathlib import Path

def init():
    global word
    word = Path(os.environ["AZUREML_MODEL_DIR"], "word.txt").read_text().strip()

def run(mini_batch):
    return [row(Path(path), len(mini_batch)) for path in mini_batch]

def row(path, together):
    text = path.read_text()
    if text == "bad":
        raise ValueError("this one is bad")
    while text == "wait" and not Path(os.environ["GO"]).exists():
        time.sleep(0.005)
    return f"{path.name} {word} {os.environ.get('SAYS', 'nothing')} {together} edition-1"
"""

DEPLOYMENT = """
name: {name}
endpoint_name: {endpoint}
model: azureml:word@latest
code_configuration: {{code: {code}, scoring_script: score.py}}
settings:
  mini_batch_size: 2
  retry_settings: {{max_retries: 0}}
  environment_variables: {{SAYS: {name}, GO: {go}}}
"""


class Shop(Mill):
    """The folder; what its commands answer is taken apart."""

    def here(self, *words: str, **variables: str) -> Ended:
        """Type a command in this process."""
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.root),
            mock.patch.dict(os.environ, self.environment(**variables), clear=True),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            status = main(words)
        return Ended(status=status, out=out.getvalue(), err=err.getvalue())

    def ask(self, *words: str, **variables: str) -> Any:
        """Type a command that succeeds; return what it says as JSON, None for nothing."""
        ended = self.here(*words, **variables)
        assert ended.status == 0, ended.err
        return json.loads(ended.out) if ended.out else None

    def refused(self, *words: str, **variables: str) -> str:
        """Type a command that fails, with nothing on stdout; return what it says on stderr."""
        ended = self.here(*words, **variables)
        assert ended.status != 0, ended.out
        assert ended.out == ""
        return ended.err

    def invoke(self, *words: str) -> str:
        """Invoke an endpoint; return the name of the job."""
        ended = self.type("batch-endpoint", "invoke", *words, "--query", "name", "-o", "tsv")
        assert ended.status == 0, ended.err
        return ended.out.removesuffix("\n")

    def stream(self, job: str) -> Ended:
        """Follow a job to its end."""
        return self.type("job", "stream", "--name", job)

    def rows(self, job: str, file: str = "predictions.csv") -> list[str]:
        """Download what a job has predicted; return its lines."""
        folder = self.root / "downloads" / job
        self.ask("job", "download", "-n", job, "--output-name", "score", "--download-path", str(folder))
        return (folder / "named-outputs/score" / file).read_text().splitlines()

    def write_deployment(self, name: str, endpoint: str, code: str = "code") -> Path:
        """Write the file of a deployment."""
        text = DEPLOYMENT.format(name=name, endpoint=endpoint, code=code, go=self.root / "go")
        return self.write(f"{name}.yml", text)

    def deploy(self, name: str, endpoint: str, *words: str, code: str = "code") -> Any:
        """Create a deployment of the shop's script."""
        file = self.write_deployment(name, endpoint, code)
        return self.ask("batch-deployment", "create", "--file", file.name, *words)
