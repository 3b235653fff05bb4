"""The system account for the embedded PostgreSQL, which refuses to run as root."""

import contextlib
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.domain.errors import Unavailable

_NAME = "backcast-postgres"
_BECOME = """
import os, sys
user, group, *command = sys.argv[1:]
os.setgroups([])
os.setgid(int(group))
os.setuid(int(user))
os.execv(command[0], command)
"""


@dataclass(frozen=True)
class SystemAccount:
    """A system user and its group."""

    user_id: int
    group_id: int

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs `command` as this account.

        subprocess can change the account too, but then it uses fork(), whose child sometimes crashes because
        gRPC has threads in this process. Otherwise it uses vfork(), which does not affect gRPC.
        """
        become = [sys.executable, "-I", "-S", "-c", _BECOME, str(self.user_id), str(self.group_id)]
        return [*become, *command]

    def own(self, folder: Path) -> None:
        """Make this account the owner of the folder and its contents."""
        # An account that is created in a new container can have another id, while the data stays.
        if folder.stat().st_uid == self.user_id:
            return
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.user_id, self.group_id, follow_symlinks=False)


def server_account() -> SystemAccount | None:
    """Return the account that runs PostgreSQL, created if necessary; None if we are not root."""
    if os.geteuid() != 0:
        return None
    if not _exists():
        with contextlib.suppress(FileNotFoundError):
            command = ["useradd", "--system", "--user-group", "--no-create-home", _NAME]
            subprocess.run(command, check=False, capture_output=True)
    if not _exists():
        raise Unavailable(
            f"PostgreSQL does not run as root, and the user {_NAME} could not be made: "
            "run backcast as another user or set BACKCAST_DATABASE_URL"
        )
    entry = pwd.getpwnam(_NAME)
    return SystemAccount(entry.pw_uid, entry.pw_gid)


def _exists() -> bool:
    return any(entry.pw_name == _NAME for entry in pwd.getpwall())


def let_pass(path: Path) -> None:
    """Let every account traverse the folders above `path`, without listing their contents."""
    for folder in path.parents:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
