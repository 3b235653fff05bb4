"""Makes the Python stubs of every .proto file here; the package build and `make protos` both call it.

`python protos/generate.py` writes them to services/stubs; with `--check` it writes nothing and fails
where what is there differs from what it would write.
"""

import filecmp
import os
import shutil
import sys
import tempfile
from pathlib import Path

import grpc_tools
from google.rpc import status_pb2
from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent
STUBS = PROTOS.parent / "services" / "stubs"


def generate(target: Path) -> None:
    """Write messages, services and their type stubs to `target`, in place of what is there."""
    googleapis = Path(status_pb2.__file__).parents[2]
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    # protoc looks for its plugins on PATH; they stand beside this Python, activated or not.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as temporary:
        # A folder within it, as the temporary one can be read by its owner only, and copies would be too.
        folder = Path(temporary) / "stubs"
        folder.mkdir()
        arguments = [
            "protoc",
            f"-I{PROTOS}",
            f"-I{googleapis}",
            f"-I{well_known}",
            f"--python_out={folder}",
            f"--grpc_python_out={folder}",
            f"--mypy_out=quiet:{folder}",
            f"--mypy_grpc_out=quiet:{folder}",
            *sources,
        ]
        if protoc.main(arguments) != 0:
            raise SystemExit("protoc failed: see its messages above")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)


def stale_files() -> list[str]:
    """Name the stubs that are missing, left over or different from what the protos make."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "stubs"
        generate(fresh)
        names = {
            str(path.relative_to(root))
            for root in (fresh, STUBS)
            for path in root.rglob("*_pb2*.py*")
            if path.suffix in {".py", ".pyi"}
        }
        _, different, missing = filecmp.cmpfiles(fresh, STUBS, sorted(names), shallow=False)
        return different + missing


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if stale := stale_files():
            raise SystemExit(f"stale stubs, run `make protos`: {', '.join(stale)}")
    else:
        generate(STUBS)
