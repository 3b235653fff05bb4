"""Makes what is generated from the .proto files here: the Python stubs and the API reference.

`python protos/generate.py` writes the packages of stubs in clients/python/src/backcast, and docs/api.md; with
`--check` it writes nothing and fails where what is there differs from what it would write. The build of the
client's distribution makes the stubs alone.
"""

import filecmp
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import grpc_tools
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import status_pb2
from grpc_tools import protoc
from reference import reference

PROTOS = Path(__file__).resolve().parent
# The Python package of the client. Folders of protos become packages in it, beside the modules of the client.
STUBS = PROTOS.parent / "clients" / "python" / "src" / "backcast"
REFERENCE = PROTOS.parent / "docs" / "api.md"


def compile_protos(*outputs: str, more: Sequence[str] = ()) -> None:
    """Run protoc on every .proto file here, and on `more` that they import, with these of its options."""
    googleapis = Path(status_pb2.__file__).parents[2]
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    # protoc looks for its plugins on PATH; they stand beside this Python, activated or not.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    includes = [f"-I{folder}" for folder in (PROTOS, googleapis, well_known)]
    if protoc.main(["protoc", *includes, *outputs, *sources, *more]) != 0:
        raise SystemExit("protoc failed: see its messages above")


def generate(target: Path) -> None:
    """Write messages, services and their type stubs to `target`, in place of those that are there."""
    with tempfile.TemporaryDirectory() as temporary:
        # A folder within it, as the temporary one can be read by its owner only, and copies would be too.
        folder = Path(temporary) / "stubs"
        folder.mkdir()
        compile_protos(
            f"--python_out={folder}",
            f"--grpc_python_out={folder}",
            f"--mypy_out=quiet:{folder}",
            f"--mypy_grpc_out=quiet:{folder}",
        )
        for package in (folder / "backcast").iterdir():
            for part in (package, *filter(Path.is_dir, package.iterdir())):
                (part / "__init__.py").write_text('"""Generated from protos/."""\n')
            shutil.rmtree(target / package.name, ignore_errors=True)
            shutil.copytree(package, target / package.name)


def reference_page() -> str:
    """Return the API reference of the protos, as Markdown."""
    with tempfile.TemporaryDirectory() as temporary:
        descriptors = Path(temporary) / "descriptors"
        compile_protos("--include_source_info", f"--descriptor_set_out={descriptors}")
        return reference(FileDescriptorSet.FromString(descriptors.read_bytes()))


def stale_files() -> list[str]:
    """Return the names of the stubs that are missing, left over or different from what the protos make."""
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
    page = reference_page()
    if sys.argv[1:] == ["--check"]:
        stale = stale_files()
        if not REFERENCE.exists() or REFERENCE.read_text() != page:
            stale.append(str(REFERENCE.relative_to(PROTOS.parent)))
        if stale:
            raise SystemExit(f"stale, run `make protos`: {', '.join(stale)}")
    else:
        generate(STUBS)
        REFERENCE.write_text(page)
