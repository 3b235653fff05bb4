"""Certificates that a test makes: of a CA that the services trust, and of one that they do not."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import trustme


@dataclass(frozen=True)
class Files:
    """Where a certificate, its key, and the CA that its owner trusts are; and who has signed it."""

    cert: Path
    key: Path
    ca: Path
    signer_pem: bytes

    @property
    def environment(self) -> dict[str, str]:
        return {
            "BACKCAST_TLS_CERT_FILE": str(self.cert),
            "BACKCAST_TLS_KEY_FILE": str(self.key),
            "BACKCAST_TLS_CA_FILE": str(self.ca),
        }

    @property
    def credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(
            self.ca.read_bytes(), self.key.read_bytes(), self.cert.read_bytes()
        )

    @property
    def credentials_of_nobody(self) -> grpc.ChannelCredentials:
        """Trusts the CA, and shows nothing."""
        return grpc.ssl_channel_credentials(self.ca.read_bytes())


def make_files(
    folder: Path, trusted: trustme.CA, signer: trustme.CA, *names: str, expired: bool = False
) -> Files:
    """Make a certificate for `names` that `signer` has signed; its owner trusts `trusted`."""
    folder.mkdir()
    not_after = datetime.now(UTC) - timedelta(days=1) if expired else None
    issued = signer.issue_cert(*names, not_before=datetime(2020, 1, 1, tzinfo=UTC), not_after=not_after)
    files = Files(folder / "cert.pem", folder / "key.pem", folder / "ca.pem", signer.cert_pem.bytes())
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(files.cert, append=bool(number))
    issued.private_key_pem.write_to_path(files.key)
    trusted.cert_pem.write_to_path(files.ca)
    return files
