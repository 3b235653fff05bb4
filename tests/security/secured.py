"""Secured services: TLS between all of them, and tokens at the gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from services.gateway.auth.tokens import hash_of, make_token
from services.local.stack import LocalStack, StackSettings
from tests.security.certificates import Files, make_files


@dataclass(frozen=True)
class Secured:
    """Secured services, the files that they were started with, and tokens by the name of their rights."""

    stack: LocalStack
    files: Files
    tokens_file: Path
    tokens: dict[str, str]
    logs: Path

    def bearer(self, name: str) -> tuple[tuple[str, str], ...]:
        """The metadata of a call with a token."""
        return (("authorization", f"Bearer {self.tokens[name]}"),)


def entry(name: str, token: str, *rights: str) -> str:
    quoted = ", ".join(f'"{right}"' for right in rights)
    return f'[[tokens]]\nname = "{name}"\nsha256 = "{hash_of(token)}"\nrights = [{quoted}]\n'


@asynccontextmanager
async def secured_beside(
    stack: LocalStack, data_dir: Path, folder: Path, ca: trustme.CA
) -> AsyncIterator[Secured]:
    """Start secured services beside `stack`, on its database and cache; their files are in `folder`."""
    files = make_files(folder / "pem", ca, ca, "127.0.0.1", "localhost")
    tokens = {name: make_token() for name in ("run", "import", "admin")}
    tokens_file = folder / "tokens.toml"
    tokens_file.write_text("".join(entry(f"the-{name}", token, name) for name, token in tokens.items()))
    settings = StackSettings(
        data_dir, 0, 0, 0, database_url=stack.database_url, redis_url=stack.redis_url, quiet=True
    )
    with pytest.MonkeyPatch.context() as environment:
        for name, value in files.environment.items():
            environment.setenv(name, value)
        environment.setenv("BACKCAST_TOKENS_FILE", str(tokens_file))
        secured_stack = LocalStack(settings)
        await secured_stack.__aenter__()
    try:
        yield Secured(secured_stack, files, tokens_file, tokens, data_dir / "logs")
    finally:
        await secured_stack.__aexit__()
