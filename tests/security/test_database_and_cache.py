"""Connections to database and cache over TLS, by URLs as docs/security.md has them."""

from pathlib import Path

import pytest
import trustme
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NoConnection

from services.data.store.database import Database
from services.domain.errors import Unavailable
from services.local.stack import LocalStack
from tests.security.certificates import Files, make_files
from tests.security.tls_front import TlsFront, socket_of_postgres, socket_of_redis


@pytest.fixture
def files(ca: trustme.CA, tmp_path: Path) -> Files:
    return make_files(tmp_path / "server", ca, ca, "127.0.0.1")


@pytest.fixture
def other_ca(tmp_path: Path) -> Path:
    other = trustme.CA()
    return make_files(tmp_path / "other", other, other, "127.0.0.1").ca


async def test_a_cache_with_an_unknown_certificate_is_refused(
    stack: LocalStack, files: Files, other_ca: Path
) -> None:
    async with TlsFront(files, socket_of_redis(stack.redis_url), asked_first=False) as front:
        url = f"rediss://127.0.0.1:{front.port}/0?ssl_ca_certs="
        async with Redis.from_url(url + str(files.ca)) as cache:
            assert await cache.ping()
        assert front.connections == 1
        async with Redis.from_url(url + str(other_ca)) as cache:
            with pytest.raises(NoConnection, match="CERTIFICATE_VERIFY_FAILED"):
                await cache.ping()


async def test_a_database_with_an_unknown_certificate_is_refused(
    stack: LocalStack, files: Files, other_ca: Path
) -> None:
    async with TlsFront(files, socket_of_postgres(stack.database_url), asked_first=True) as front:
        url = f"postgresql://postgres@127.0.0.1:{front.port}/postgres?sslmode=verify-full&sslrootcert="
        async with Database.connect(url + str(files.ca), 2) as database, database.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1
        assert front.connections
        with pytest.raises(Unavailable) as caught:
            async with Database.connect(url + str(other_ca), 2):
                pass
        assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value.__cause__)
