"""The database that `backcast db …` works on: that of the settings, or the embedded one of `backcast up`."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import structlog

from services.data.schema.migrate import migrate
from services.data.store.database import Database
from services.domain.errors import Unavailable
from services.settings import Settings

# Lines of PostgreSQL's postmaster.pid.
_PORT, _SOCKETS, _STATUS = 3, 4, 7


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database of the settings, with its schema up to date, for as long as the context lasts.

    Raises Unavailable if there is none: BACKCAST_DATABASE_URL is not set, and no `backcast up` runs.
    """
    # Logs would be mixed into the command's output.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    url = settings.database_url or _embedded_url(settings.data_dir)
    async with Database.connect(url, settings.database_pool_size, settings.database_timeout_s) as database:
        await migrate(database)
        yield database


def _embedded_url(data_dir: Path) -> str:
    """Return the URL of the embedded server with its data in the folder."""
    nobody = Unavailable(
        "there is no database: BACKCAST_DATABASE_URL is not set, "
        f"and no `backcast up` runs with its data in {data_dir}"
    )
    try:
        # The server writes the path of its socket here; the socket is not always in the folder.
        lines = (data_dir / "postgres" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise nobody from None
    except OSError as error:
        raise Unavailable(f"the database in {data_dir} cannot be read: {error.strerror}") from error
    if len(lines) <= _STATUS or lines[_STATUS].strip() != "ready":
        raise Unavailable(f"the database in {data_dir} is starting or stopping")
    # A killed server leaves the file, but does not listen.
    if not (Path(lines[_SOCKETS]) / f".s.PGSQL.{lines[_PORT]}").is_socket():
        raise nobody
    return f"postgresql://postgres@/postgres?host={quote(lines[_SOCKETS])}&port={lines[_PORT]}"
