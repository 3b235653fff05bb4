"""The Dockerfile, and its commands done in a folder instead of in containers: there is no Docker here."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
FILE = REPOSITORY / "deploy" / "Dockerfile"


@dataclass
class Stage:
    """What follows a FROM."""

    image: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def last(self, keyword: str) -> str:
        return [rest for each, rest in self.instructions if each == keyword][-1]

    def command(self, keyword: str) -> list[str]:
        """The command of an instruction in its exec form, without which no signal reaches it."""
        rest = self.last(keyword)
        command: list[str] = json.loads(rest[rest.index("[") :])
        return command


def stages() -> list[Stage]:
    lines = [line for line in FILE.read_text().splitlines() if not line.startswith("#")]
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        keyword, _, rest = line.partition(" ")
        if keyword == "FROM":
            stages.append(Stage(rest.split()[0]))
        elif keyword:
            stages[-1].instructions.append((keyword, rest))
    return stages


class ImageFolder:
    """The image's files in a folder: the paths that the Dockerfile makes are below it."""

    _MADE = re.compile(r"(?<![\w.])/(?=source|opt/backcast|var/lib/backcast)")

    def __init__(self, root: Path) -> None:
        self._root = self._working = root
        # As in a container, there is nothing of ours in the environment.
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BACKCAST_", "NUMBA_", "PYTHON"))
        }
        self.environment["PATH"] = f"{Path(sys.executable).parent}:{self.environment['PATH']}"

    def inside(self, text: str) -> str:
        """Return the text with its paths of the image replaced."""
        return self._MADE.sub(f"{self._root}/", text)

    def build(self, stage: Stage) -> None:
        """Do what the stage says."""
        self._working = self._root
        for keyword, rest in stage.instructions:
            match keyword:
                case "WORKDIR":
                    self._working = Path(self.inside(rest))
                    self._working.mkdir()
                case "COPY":
                    self._copy(shlex.split(rest))
                case "ARG":
                    name, _, value = rest.partition("=")
                    self.environment[name] = value
                case "ENV":
                    self._set(shlex.split(self.inside(rest)))
                case "RUN":
                    command = self.inside(re.sub(r"^(--mount=\S+\s+)+", "", rest))
                    subprocess.run(["sh", "-c", command], cwd=self._working, env=self.environment, check=True)
                case "USER" | "HEALTHCHECK" | "ENTRYPOINT":
                    pass
                case _:
                    raise AssertionError(f"{keyword}: not known here")

    def _copy(self, arguments: list[str]) -> None:
        if arguments[0].startswith("--from="):
            # It is all in one folder.
            return
        *sources, target = arguments
        for source in sources:
            if (REPOSITORY / source).is_dir():
                # As Dockerfile.dockerignore has it.
                left_out = shutil.ignore_patterns("__pycache__", "*_pb2*", "stubs", "static", "node_modules")
                shutil.copytree(REPOSITORY / source, self._working / target, ignore=left_out)
            else:
                shutil.copy(REPOSITORY / source, self._working / target)

    def _set(self, assignments: list[str]) -> None:
        for assignment in assignments:
            name, _, value = assignment.partition("=")
            self.environment[name] = value.replace("$PATH", self.environment["PATH"])
