"""Files by name as one gzipped tar: how a release travels to the API, and a target's files to a worker.

Only a means of transport: what counts are the digests in the manifest. So the compressor may differ between machines.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from typing import Final

from shared.errors import PeerError
from shared.release_manifest import MAX_FILES, Manifest, canonical, digest_of, parse_manifest

MAX_PACKED_BYTES: Final = 64 * 1024**2
"""Largest archive."""

MAX_CONTENT_BYTES: Final = 256 * 1024**2
"""Largest content of an archive, headers included."""

_MANIFEST: Final = "manifest.json"
_BLOBS: Final = "blobs/"


def pack(files: Mapping[str, bytes]) -> bytes:
    """Files by name as one archive, in the order of their names. Raises PeerError when that would be too large."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    packed = gzip.compress(plain.getvalue(), mtime=0)
    if len(packed) > MAX_PACKED_BYTES or len(plain.getvalue()) > MAX_CONTENT_BYTES:
        raise _too_large()
    return packed


def unpack(packed: bytes) -> dict[str, bytes]:
    """The files of an archive by name. Nothing is written anywhere.

    Raises:
        PeerError: it is no archive of plain files, names one twice, or is larger than the bounds allow.
    """
    stream = zlib.decompressobj(wbits=31)
    try:
        # Bounded before tarfile sees it: it would read a header as long as the header says it is.
        plain = stream.decompress(packed, MAX_CONTENT_BYTES + 1)
    except zlib.error as error:
        raise PeerError(f"not a gzip archive: {error}", hint=_HINT) from error
    if len(plain) > MAX_CONTENT_BYTES:
        raise _too_large()
    if not stream.eof or stream.unused_data:
        raise PeerError("the archive is cut off or has something behind it", hint=_HINT)
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content is None or member.name in files:
                    raise PeerError(f"the archive holds {member.name!r} twice, or not as a plain file", hint=_HINT)
                if len(files) > MAX_FILES:
                    raise PeerError(f"the archive holds more than {MAX_FILES} files", hint=_HINT)
                files[member.name] = content.read()
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise PeerError(f"not a tar archive: {error}", hint=_HINT) from error
    return files


def unpack_blobs(packed: bytes, wanted: Mapping[str, str]) -> dict[str, bytes]:
    """Contents by digest, each checked.

    Args:
        packed: contents by digest, from `pack`.
        wanted: the digests that have to be in it, each with a name for messages.

    Raises:
        PeerError: one is missing, or is not what its digest says.
    """
    return _checked(unpack(packed), wanted)


def pack_release(manifest: Manifest, blobs: Mapping[str, bytes]) -> bytes:
    """A release as it is sent to the API: its manifest and every file."""
    files = {f"{_BLOBS}{digest}": blobs[digest] for digest in manifest.blobs()}
    return pack({_MANIFEST: canonical(manifest), **files})


def unpack_release(packed: bytes) -> tuple[bytes, Manifest, dict[str, bytes]]:
    """The manifest's bytes, the manifest and every file by digest, all checked.

    Raises:
        PeerError: what is wrong with it.
    """
    files = unpack(packed)
    content = files.pop(_MANIFEST, None)
    if content is None:
        raise PeerError(f"the archive holds no {_MANIFEST}", hint=_HINT)
    manifest = parse_manifest(content)
    blobs = _checked({name.removeprefix(_BLOBS): value for name, value in files.items()}, manifest.paths())
    for digest, size in manifest.blobs().items():
        if len(blobs[digest]) != size:
            raise PeerError(f"file {digest} has {len(blobs[digest])} bytes, the manifest says {size}", hint=_HINT)
    return content, manifest, blobs


_HINT: Final = "publish the release with this version of Interlock"


def _checked(files: dict[str, bytes], wanted: Mapping[str, str]) -> dict[str, bytes]:
    if missing := wanted.keys() - files.keys():
        digest = min(missing)
        raise PeerError(f"{wanted[digest]} ({digest}) is missing", hint=_HINT)
    if more := files.keys() - wanted.keys():
        raise PeerError(f"{min(more)!r} belongs to no file of the release", hint=_HINT)
    for digest, content in files.items():
        if (actual := digest_of(content)) != digest:
            raise PeerError(f"{wanted[digest]} should be {digest} and arrived as {actual}", hint=_HINT)
    return files


def _too_large() -> PeerError:
    return PeerError(
        f"more than {MAX_PACKED_BYTES // 1024**2} MiB packed, or {MAX_CONTENT_BYTES // 1024**2} MiB unpacked",
        hint="keep artifacts and provider binaries out of the configuration directory",
    )
