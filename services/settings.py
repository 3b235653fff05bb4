"""Settings of the services, from the environment: BACKCAST_GATEWAY_PORT, BACKCAST_DATABASE_URL, …"""

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.domain.errors import InvalidInput, Violation

_PREFIX = "BACKCAST_"
# Where containers find their secrets: a file named like a variable holds what that is not set to.
_SECRETS_DIR = Path("/run/secrets")


class Settings(BaseSettings):
    """Everything that can be set; each field is read from BACKCAST_ and its name in capitals.

    What is not in the environment is read from a file of that name, in small letters, in /run/secrets.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True)

    host: str = Field("127.0.0.1", description="Address that the services listen on.")
    gateway_port: int = Field(50051, ge=0, le=65535)
    compute_port: int = Field(50052, ge=0, le=65535)
    data_port: int = Field(50053, ge=0, le=65535)

    health_port: int | None = Field(
        None, ge=0, le=65535, description="A plaintext port with health only, for probes that know no TLS."
    )

    gateway_address: str | None = Field(None, description="Where clients find the gateway: host:port.")
    compute_address: str | None = Field(None, description="Where the gateway finds compute: host:port.")
    data_address: str | None = Field(None, description="Where the others find the data service: host:port.")

    tls_cert_file: Path | None = Field(
        None,
        description="This process's certificate chain in PEM: for its clients, and for services it calls.",
    )
    tls_key_file: Path | None = Field(None, description="Its key in PEM, without a password.")
    tls_ca_file: Path | None = Field(
        None, description="Who signs the others' certificates, PEM; with it, all calls go over TLS."
    )
    tls: bool = Field(
        False, description="Call over TLS without a CA of one's own: the public ones are trusted."
    )
    gateway_client_certificates: bool = Field(
        False, description="The gateway's clients have to show a certificate that the CA has signed."
    )
    tokens_file: Path | None = Field(None, description="TOML: whom the gateway serves; see `backcast token`.")
    tokens: SecretStr | None = Field(None, description="The same as a JSON list, instead of the file.")
    token: SecretStr | None = Field(None, description="What the command shows to the gateway.")
    insecure: bool = Field(
        False, description="Strangers may call, and tokens go over the net in the clear: for closed networks."
    )
    reflection: bool = Field(True, description="Whether servers tell strangers' tools what they serve.")

    database_url: str | None = Field(None, description="PostgreSQL or TimescaleDB: postgresql://…")
    redis_url: str | None = Field(None, description="Redis or Valkey: redis://…")
    database_pool_size: int = Field(8, ge=2, le=100)
    database_timeout_s: float = Field(
        5.0, gt=0, allow_inf_nan=False, description="After so long a database that says nothing is given up."
    )
    columnstore_after_days: int = Field(
        7,
        ge=1,
        le=1_000_000,
        description="Chunks that ended so many days ago are compressed (TimescaleDB only).",
    )
    retention_days: int = Field(
        3650,
        ge=0,
        le=1_000_000,
        description="Hourly candles older than this are dropped, longer ones stay; 0: never.",
    )

    compute_workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    task_limit_s: float = Field(
        60.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds after which a worker that is still at one task is killed, as if it had died.",
    )
    compute_executor: str | None = Field(
        None,
        description="Where compute's tasks run: dask://host:port of a Dask scheduler; processes of its own "
        "where it is not set.",
    )
    column_dir: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()) / f"backcast-columns-{os.getuid()}",
        description="Folder of compute's candle columns; can be deleted at any time.",
    )
    column_dir_max_gb: float = Field(
        4.0,
        gt=0,
        allow_inf_nan=False,
        description="Above this (10^9 bytes), the least recently used columns are deleted.",
    )
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("backcast"),
        description="Folder of the embedded servers of `backcast up`.",
    )
    max_runs: int = Field(256, ge=1, description="Runs under way at once, of all clients; sweeps count too.")
    max_runs_per_client: int = Field(128, ge=1)
    max_backtests: int = Field(8_000_000, ge=1, description="Backtests under way at once, of all clients.")
    max_backtests_per_client: int = Field(4_000_000, ge=1)
    max_backtests_per_request: int = Field(1_000_000, ge=1)
    max_symbols_per_request: int = Field(10_000, ge=1)
    runs_kept_s: float = Field(
        300.0,
        ge=0,
        description="Seconds that a run that nobody watches, or that ended, can be watched again.",
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
        description="Clients of a service connect anew after so long, and so find new addresses of its name; "
        "never where it is not set.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address that metrics are served on.")
    gateway_metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Where Prometheus finds the gateway's metrics; 0: a free port."
    )
    compute_metrics_port: int | None = Field(None, ge=0, le=65535)
    data_metrics_port: int | None = Field(None, ge=0, le=65535)
    shutdown_grace_s: float = Field(5.0, ge=0, description="Seconds that streams in flight get to finish.")

    @property
    def gateway(self) -> str:
        """Where clients find the gateway."""
        return self.gateway_address or f"127.0.0.1:{self.gateway_port}"

    @property
    def compute(self) -> str:
        """Where the gateway finds compute."""
        return self.compute_address or f"127.0.0.1:{self.compute_port}"

    @property
    def data(self) -> str:
        """Where the others find the data service."""
        return self.data_address or f"127.0.0.1:{self.data_port}"

    @property
    def dask_scheduler(self) -> str | None:
        """The host:port of the Dask scheduler, where compute's tasks run on a Dask cluster."""
        return self.compute_executor and urlsplit(self.compute_executor).netloc

    @field_validator("compute_executor")
    @classmethod
    def _names_a_scheduler(cls, value: str | None) -> str | None:
        if value is not None and not _is_scheduler(value):
            raise PydanticCustomError("executor", "must be dask://host:port")
        return value

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
    """Read the settings; raise InvalidInput, naming the variables, where some are wrong."""
    try:
        return Settings(_secrets_dir=_SECRETS_DIR if _SECRETS_DIR.is_dir() else None)
    except ValidationError as error:
        raise InvalidInput(
            *(
                Violation(_PREFIX + "_".join(map(str, wrong["loc"])).upper(), wrong["msg"].lower())
                for wrong in error.errors()
            )
        ) from None
