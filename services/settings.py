"""Settings of the services, from the environment: BACKCAST_GATEWAY_PORT, BACKCAST_DATABASE_URL, …"""

import os
import tempfile
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from backcast_engine.errors import InvalidInput, Violation

_PREFIX = "BACKCAST_"
# Containers mount secrets here: a file named like a variable holds its value.
_SECRETS_DIR = Path("/run/secrets")


class Settings(BaseSettings):
    """All settings of the services and commands.

    A field is read from the environment variable BACKCAST_ followed by its name in capitals, else from the
    file of that name, in small letters, in /run/secrets. docs/settings.md lists all of them.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True)

    host: str = Field("127.0.0.1", description="The address that the services of `backcast serve` listen on.")
    gateway_port: int = Field(50051, ge=0, le=65535, description="The gateway's port; 0: any free port.")
    compute_port: int = Field(50052, ge=0, le=65535, description="The compute service's port.")
    data_port: int = Field(50053, ge=0, le=65535, description="The data service's port.")
    web_port: int = Field(8080, ge=0, le=65535, description="The page's port.")
    health_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="A second, plaintext port that serves only health checks, for probes without TLS.",
    )

    gateway_address: str | None = Field(
        None,
        description="host:port of the gateway, for clients; by default its port on 127.0.0.1.",
    )
    compute_address: str | None = Field(
        None,
        description="host:port of compute, for the gateway; by default its port on 127.0.0.1.",
    )
    data_address: str | None = Field(
        None,
        description="host:port of the data service, for its callers; by default its port on 127.0.0.1.",
    )
    reader_idle_s: float = Field(
        60.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds without a read after which a run that waits for its readers is paused.",
    )
    connection_max_age_s: float | None = Field(
        None,
        ge=0.1,
        le=86_400,
        description="Seconds after which callers of a service reconnect, and so find new addresses of its "
        "name; by default never.",
    )

    tls_cert_file: Path | None = Field(
        None,
        description="This process's certificate chain, PEM; shown to clients and to the services it calls.",
    )
    tls_key_file: Path | None = Field(None, description="The certificate's key, PEM, without a password.")
    tls_ca_file: Path | None = Field(
        None,
        description="The CA that signed the other processes' certificates, PEM; if set, all calls use TLS.",
    )
    tls: bool = Field(
        False,
        description="1: commands call the gateway over TLS and trust the public CAs, without a CA file.",
    )
    gateway_client_certificates: bool = Field(
        False, description="1: the gateway's clients must show a certificate that the CA signed."
    )
    tokens_file: Path | None = Field(
        None, description="TOML file of the tokens that the gateway accepts; `backcast token` makes entries."
    )
    tokens: SecretStr | None = Field(
        None, description="The same entries as a JSON list, instead of the file."
    )
    token: SecretStr | None = Field(None, description="The token that commands send to the gateway.")
    insecure: bool = Field(
        False,
        description="1: allow calls without authentication, and tokens in plaintext: for closed networks.",
    )
    web_hosts: str = Field(
        "",
        description="Host names, separated by commas, under which browsers may call the page, besides this "
        "machine's own.",
    )
    reflection: bool = Field(True, description="0: no gRPC server reflection.")

    database_url: str | None = Field(
        None,
        description="PostgreSQL or TimescaleDB: postgresql://…; `backcast up` embeds PostgreSQL if not set.",
    )
    database_pool_size: int = Field(
        8, ge=2, le=100, description="Most connections of the data service to the database."
    )
    database_timeout_s: float = Field(
        5.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds without an answer after which a database is given up; calls that wait for it "
        "end with UNAVAILABLE.",
    )
    columnstore_after_days: int = Field(
        7,
        ge=1,
        le=1_000_000,
        description="Age in days from which TimescaleDB compresses a chunk, counted from the chunk's end.",
    )
    retention_days: int = Field(
        3650,
        ge=0,
        le=1_000_000,
        description="Age in days from which hourly candles are dropped; longer candles stay; 0: never.",
    )
    feed_exchange: str | None = Field(
        None, description="The exchange that `backcast serve feed` follows: binance, okx, …"
    )
    feed_quote: str = Field("USDT", description="The quote currency of the pairs that it follows.")
    feed_url: str | None = Field(
        None, description="URL of another server with the exchange's API, such as a mirror."
    )
    redis_url: str | None = Field(
        None, description="Redis or Valkey: redis://…; `backcast up` embeds Valkey if not set."
    )
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("backcast"),
        description="Folder of the embedded servers of `backcast up`: their data and logs.",
    )

    compute_workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=256,
        description="Worker processes that compute backtests.",
    )
    task_limit_s: float = Field(
        60.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds after which a worker still at one task is killed; the task is retried once.",
    )
    compute_executor: str | None = Field(
        None,
        description="dask://host:port: a Dask scheduler, whose cluster computes instead of worker processes.",
    )
    column_dir: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()) / f"backcast-columns-{os.getuid()}",
        description="Folder where compute keeps fetched candles; processes can share it, and deleting it is "
        "always safe.",
    )
    column_dir_max_gb: float = Field(
        4.0,
        gt=0,
        allow_inf_nan=False,
        description="Size in 10^9 bytes above which the least recently used candles are deleted from it.",
    )

    max_runs: int = Field(
        256, ge=1, description="Most runs in progress at once, sweeps included, over all clients."
    )
    max_runs_per_client: int = Field(128, ge=1, description="Most runs in progress at once, per client.")
    max_backtests: int = Field(
        8_000_000,
        ge=1,
        description="Most backtests in progress at once, over all clients; a sweep counts all of its own.",
    )
    max_backtests_per_client: int = Field(
        4_000_000, ge=1, description="Most backtests in progress at once, per client."
    )
    max_backtests_per_request: int = Field(1_000_000, ge=1, description="Most backtests of one request.")
    max_symbols_per_request: int = Field(10_000, ge=1, description="Most cryptos of one request.")
    runs_kept_s: float = Field(
        300.0,
        ge=0,
        description="Seconds that a paused or ended run is kept, so that it can be watched again.",
    )
    web_max_upload_bytes: int = Field(
        256 * 1024 * 1024, ge=1, description="Most bytes of a file that is imported through the page."
    )
    shutdown_grace_s: float = Field(
        5.0, ge=0, description="Seconds that calls in progress may take to finish when a service stops."
    )

    metrics_host: str = Field("127.0.0.1", description="The address that Prometheus metrics are served on.")
    gateway_metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port of the gateway's metrics; 0: any free port; by default no metrics are served.",
    )
    compute_metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Port of the compute service's metrics."
    )
    data_metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Port of the data service's metrics."
    )

    web_metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Port of the metrics of the page's process."
    )
    feed_metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Port of the metrics of the feed's process."
    )

    @property
    def gateway(self) -> str:
        """The host:port where clients find the gateway."""
        return self.gateway_address or f"127.0.0.1:{self.gateway_port}"

    @property
    def compute(self) -> str:
        """The host:port where the gateway finds compute."""
        return self.compute_address or f"127.0.0.1:{self.compute_port}"

    @property
    def data(self) -> str:
        """The host:port where gateway and compute find the data service."""
        return self.data_address or f"127.0.0.1:{self.data_port}"

    @property
    def dask_scheduler(self) -> str | None:
        """The host:port of the Dask scheduler; None where compute has worker processes of its own."""
        return self.compute_executor and urlsplit(self.compute_executor).netloc

    @field_validator("compute_executor")
    @classmethod
    def _names_a_scheduler(cls, value: str | None) -> str | None:
        if value is not None and not _is_scheduler(value):
            raise PydanticCustomError("executor", "must be dask://host:port")
        return value

    @property
    def web_host_names(self) -> tuple[str, ...]:
        """The host names of `web_hosts`."""
        return tuple(name.strip() for name in self.web_hosts.split(",") if name.strip())

    def required(self, name: str) -> str:
        """Return the setting `name`; raise InvalidInput, naming its variable, where it is not set."""
        value: str | None = getattr(self, name)
        if value is None:
            raise InvalidInput.of(f"{_PREFIX}{name.upper()}", "must be set")
        return value


def _is_scheduler(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname and parts.port) and url == f"dask://{parts.netloc}" and "@" not in url
    except ValueError:
        return False


def load_settings() -> Settings:
    """Read the settings; raise InvalidInput, naming the variables, where some are invalid."""
    try:
        return Settings(_secrets_dir=_SECRETS_DIR if _SECRETS_DIR.is_dir() else None)
    except ValidationError as error:
        raise InvalidInput(*map(_violation, error.errors())) from None


def _violation(error: ErrorDetails) -> Violation:
    name = str(error["loc"][0])
    number = _number(Settings.model_fields[name])
    reason = f"must be {number}, not {error['input']!r}" if number else error["msg"]
    return Violation(f"{_PREFIX}{name.upper()}", reason)


def _number(field: FieldInfo) -> str | None:
    """Return which numbers a setting accepts, None where it is not a number; a flag is 1 or 0."""
    types = get_args(field.annotation) or (field.annotation,)
    if bool in types:
        return "1 or 0"
    if int not in types and float not in types:
        return None
    noun = "a whole number" if int in types else "a number"
    minimum, above, maximum = (
        next((getattr(limit, name) for limit in field.metadata if hasattr(limit, name)), None)
        for name in ("ge", "gt", "le")
    )
    if maximum is not None:
        return f"{noun} from {minimum} to {maximum}"
    return f"{noun} above {above}" if above is not None else f"{noun} of at least {minimum}"
