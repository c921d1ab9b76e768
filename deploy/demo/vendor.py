"""Copies the packages that the stand-in provider needs into one directory."""

import importlib.util
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

# `tf` with what it imports, `botocore` with what it imports, and our own code.
PACKAGES = (
    "tf",
    "grpc",
    "google.protobuf",
    "google._upb",
    "msgpack",
    "cryptography",
    "_cffi_backend",
    "typing_extensions",
    "botocore",
    "jmespath",
    "dateutil",
    "six",
    "urllib3",
    "deploy.demo.offline",
)
# botocore's data is 30 MB of 400 services; these are called.
SERVICES = {"cloudwatch", "dynamodb", "ec2", "ecr", "events", "iam", "kms"} | {
    "logs",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "sts",
}


def copy_packages(library: Path, packages: Iterable[str] | None = None) -> None:
    """Copy packages (None: `PACKAGES`) below `library`, with bytecode: it is valid while sources keep their times.

    Raises:
        ModuleNotFoundError: a package is not installed.
    """
    for name in PACKAGES if packages is None else packages:
        source = _source(name)
        target = library.joinpath(*name.split(".")[:-1], source.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=_ignored, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)
            for libraries in _bundled_libraries(source):
                shutil.copytree(libraries, library / libraries.name, dirs_exist_ok=True)


def _source(name: str) -> Path:
    specification = importlib.util.find_spec(name)
    if specification is None:
        raise ModuleNotFoundError(f"the stand-in provider needs {name}, which is not installed", name=name)
    if specification.submodule_search_locations:
        return Path(specification.submodule_search_locations[0])
    if specification.origin is None:
        raise ModuleNotFoundError(f"the stand-in provider needs {name}, which is not a file", name=name)
    return Path(specification.origin)


def _bundled_libraries(source: Path) -> Iterator[Path]:
    """Shared libraries that a wheel carries beside its extension module (`cffi.libs`)."""
    if source.name.startswith("_cffi_backend"):
        yield from source.parent.glob("cffi.libs")


def _ignored(folder: str, names: list[str]) -> set[str]:
    path = Path(folder)
    if path.name == "data" and path.parent.name == "botocore":
        return {name for name in names if (path / name).is_dir() and name not in SERVICES}
    return {name for name in names if name in {"tests", "test"}}
