"""The archive: manifest.json, its signature, the files of a home; a compressed tar file that only its owner can read.

write_archive()  ->  FILE, whole or not at all;  unpack()  ->  a folder whose files have the manifest's checksums
"""

import hashlib
import os
import shutil
import tarfile
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from io import BytesIO
from pathlib import Path

from orchestration.backup import signature
from orchestration.backup.errors import BackupError
from orchestration.backup.manifest import NAME, Manifest, Member
from resources.atomic_file import fsync, open_new
from resources.failpoints import reach
from resources.scratch import hold, remove_left

CHUNK, MAX_MANIFEST = 1 << 20, 1 << 24
OWNER_ONLY = 0o600
MAX_HEADER = 1 << 16  # bytes of a long name, or of the size of a file above 8 GB
_HEADERS = frozenset(
    {
        tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.GNUTYPE_SPARSE,
    }
)  # fmt: skip
# thousands of headers in a row end in a RecursionError
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, ValueError, RecursionError)


class _Info(tarfile.TarInfo):
    """A member; extended headers, which are read into memory as a whole, have a limit."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Info":
        info = super().frombuf(buf, encoding, errors)
        if info.type in _HEADERS and info.size > MAX_HEADER:
            raise tarfile.ReadError(f"a header of {info.size:,} bytes")
        return info


def write_archive(file: Path, manifest: Manifest, folder: Path, *, replace: bool) -> None:
    """Write the manifest and its members, which are in a folder; `replace` allows a file of this name.

    Raises:
        BackupError: There is such a file.
        OSError: It cannot be written; nothing was changed.
    """
    remove_left(file.parent, f".{escape(file.name)}.*.tmp")
    partial = file.with_name(f".{file.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        with os.fdopen(open_new(partial, OWNER_ONLY), "wb") as output:
            with suppress(OSError):  # some network disks have no locks; there, what a killed process left stays
                hold(output.fileno())
            with tarfile.open(fileobj=output, mode="w:gz", compresslevel=1) as archive:
                text = manifest.text.encode()
                for name, written in ((NAME, text), (signature.NAME, signature.sign(text))):
                    if written:
                        _add(archive, name, BytesIO(written), len(written))
                for each in manifest.members:
                    with (folder / each.path).open("rb") as content:
                        _add(archive, each.path, content, each.size)
            output.flush()
            os.fsync(output.fileno())
            reach("backup_written")
            if replace:
                partial.replace(file)
            else:
                os.link(partial, file)  # unlike a rename, it fails if there is one
        fsync(file.parent)
    except FileExistsError:
        raise BackupError(f"{file} exists; give another name, or --force to replace it") from None
    finally:
        partial.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, content: object, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, OWNER_ONLY
    archive.addfile(info, content)  # type: ignore[arg-type]  # any binary file


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def unpack(file: Path, into: Path, may_have: Callable[[str], bool], *, allow_unsigned: bool = False) -> Manifest:
    """Unpack an archive into an empty folder, and check every file.

    Args:
        file: The archive.
        into: The folder, made here.
        may_have: Whether a path may be in a home.
        allow_unsigned: Whether it may have no signature although there is a key.

    Raises:
        BackupError: The archive is damaged or forged, is not a backup, or has a member that a backup does not have.
        OSError: The files cannot be written.
    """
    with _readable(file) as archive:
        first = archive.next()
        if first is None or first.name != NAME or not first.isreg() or first.size > MAX_MANIFEST:
            raise BackupError(f"{file}: not a backup of Millpond, whose first member is {NAME}; use another file")
        text, info = _content(archive, first), archive.next()
        signed = b""
        if info and info.name == signature.NAME and info.isreg() and info.size <= signature.MAX_SIZE:
            signed, info = _content(archive, info), archive.next()
        try:
            signature.check(text, signed, allow_unsigned=allow_unsigned)
            manifest = Manifest.parse(text)
        except BackupError as error:
            raise BackupError(f"{file}: {error}") from error
        expected = {each.path: each for each in manifest.members}
        into.mkdir(mode=0o700, parents=True)
        _check_space(file, into, sum(each.size for each in manifest.members))
        while info:
            member = expected.pop(info.name, None)
            if (
                member is None
                or not info.isreg()
                or info.issparse()
                or info.size != member.size
                or not may_have(info.name)
            ):
                raise BackupError(f"{file}: its member {info.name!r} is not one of a backup; nothing was restored")
            _extract(archive, info, member, into, file)
            info = archive.next()
    if expected:
        raise BackupError(f"{file}: damaged: {', '.join(sorted(expected))} is missing; use another backup")
    return manifest


def copy_folder(source: Path, into: Path) -> None:
    """Copy a folder of former files; others may have been able to read them where they were.

    Raises:
        BackupError: It has a link.
        OSError: It contains something other than folders and files, or cannot be copied.
    """
    shutil.copytree(source, into, symlinks=True)
    for each in (into, *into.rglob("*")):
        if each.is_symlink():
            raise BackupError(f"{source}: has a symbolic link; a home has none")
        each.chmod(0o700 if each.is_dir() else OWNER_ONLY)


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    content = archive.extractfile(info)
    assert content
    return content.read()


def _check_space(file: Path, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        text = f"{needed / 1e6:,.1f} MB, but {folder.parent} has {free / 1e6:,.1f} MB free"
        raise BackupError(f"{file}: its files have {text}; make space, or restore into another home")


def _extract(archive: tarfile.TarFile, info: tarfile.TarInfo, member: Member, into: Path, file: Path) -> None:
    target, content, digest = into / member.path, archive.extractfile(info), hashlib.sha256()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    assert content
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "wb") as output:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
            output.write(chunk)
        output.flush()
        os.fsync(output.fileno())
    if digest.hexdigest() != member.sha256:
        raise BackupError(f"{file}: damaged: {member.path} has another checksum; use another backup")


@contextmanager
def _readable(file: Path) -> Iterator[tarfile.TarFile]:
    """Open an archive; whatever is wrong with it is one text."""
    try:
        with tarfile.open(file, "r|gz", tarinfo=_Info) as archive:
            yield archive
    except BackupError:
        raise
    except _DAMAGED as error:
        raise BackupError(f"{file}: damaged, or not a backup of Millpond: {error}; use another one") from error
