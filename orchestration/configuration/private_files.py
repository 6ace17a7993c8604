"""Files of a home are private, under any umask; MILLPOND_SHARE_GROUP lets a group read the snapshot and nothing else.

settings  ->  make_private()  ->  umask 077, folders 0700, files 0600;  with a group: 2710 on the snapshot's path
"""

import os
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from orchestration.configuration.settings import MillpondSettings
from orchestration.configuration.settings_error import SettingsError

OWNER_ONLY = 0o077
WRITE_OF_OTHERS = 0o022
SNAPSHOT = "analyst.duckdb"
SHARED_FOLDER = 0o2710  # the group may pass through; what is made in it belongs to the group
# everything of ours that lies in a home, which may be a folder with other things
_OURS = (
    "accounts", "dagster", "warehouse", "sandbox", "simulations", "workflows-*", "*.sqlite*", "*tokens*", "ui_token*",
    "users.json*", "*.lock",
)  # fmt: skip


def make_private(settings: MillpondSettings) -> None:
    """Let only this user read what this process creates, and what earlier versions left readable.

    Raises:
        SettingsError: MILLPOND_SHARE_GROUP is not a group that this user may share with.
    """
    os.umask(OWNER_ONLY)
    group = _group_id(settings.share_group) if settings.share_group else None
    home = settings.home.absolute()
    _keep_others_from_writing(home)
    for path in (each for pattern in _OURS for each in home.glob(pattern)):
        _restrict(path)
    shared = [each.warehouse for each in settings.per_account]
    for folder in shared:
        if group is not None:
            folder.mkdir(parents=True, exist_ok=True)
        with suppress(NotADirectoryError, PermissionError):  # reported, with its cause, by whatever uses the folder
            if folder.exists():
                _close(folder)
    on_path = {parent for each in shared for parent in (each, *each.parents) if _is_in(parent, home)}
    for folder in on_path:
        if group is not None:
            _close_beside(folder, on_path)
            _share(folder, group)
        elif folder.exists() and stat.S_IMODE(folder.stat().st_mode) == SHARED_FOLDER:
            folder.chmod(0o700)  # it was shared before
    for folder in shared:
        if group is not None:
            _share_snapshot(folder / SNAPSHOT, group)


def _is_in(folder: Path, home: Path) -> bool:
    return folder == home or home in folder.parents


def _close(folder: Path) -> None:
    """Close the files of a warehouse's folder, and the folder itself: `_share` opens it again."""
    for path in folder.iterdir():
        if path.name == SNAPSHOT and not path.is_symlink():
            with suppress(OSError):  # another user's: not ours to change
                path.chmod(0o400)
        else:
            _restrict(path)
    with suppress(OSError):
        folder.chmod(0o700)


def _close_beside(folder: Path, on_path: Collection[Path]) -> None:
    """Close what lies in a folder that a group may pass through, whatever made it."""
    for path in folder.iterdir() if folder.exists() else ():
        if path not in on_path and path.name != SNAPSHOT:
            _restrict(path)


def _keep_others_from_writing(home: Path) -> None:
    """Let no one else replace the files of a home; it may have other things that others read."""
    with suppress(OSError):  # there is none yet, or it is another user's
        mode = home.stat().st_mode
        if mode & WRITE_OF_OTHERS and not mode & stat.S_ISVTX:  # with the sticky bit only owners replace
            home.chmod(stat.S_IMODE(mode) & ~WRITE_OF_OTHERS)


def _restrict(path: Path) -> None:
    """Take a file or folder away from all others, if it is this user's own."""
    with suppress(OSError):  # it vanished, or is another user's
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & OWNER_ONLY:
            path.chmod(stat.S_IMODE(mode) & ~OWNER_ONLY)


def _share(folder: Path, group: int) -> None:
    try:
        os.chown(folder, -1, group)
        folder.chmod(SHARED_FOLDER)
    except OSError as error:
        raise SettingsError(f"MILLPOND_SHARE_GROUP: {folder} cannot be shared: {error.strerror}") from None


def _share_snapshot(snapshot: Path, group: int) -> None:
    if snapshot.exists() and not snapshot.is_symlink():  # a link may lead to the warehouse
        os.chown(snapshot, -1, group)
        snapshot.chmod(0o440)


def _group_id(name: str) -> int:
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise SettingsError(f"MILLPOND_SHARE_GROUP: no group {name} on this machine; see `getent group`") from None
