"""Which provider the demo's Terraform gets."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.demo import provider
from deploy.demo.provider import (
    CONSTRAINT,
    candidate_directories,
    choose_provider,
    install_offline,
    provider_version,
    terraform_of,
    this_platform,
)
from shared.errors import ConfigurationError

HOST = "registry.terraform.io"


def unpacked(root: Path, version: str, *, host: str = HOST, system: str | None = None) -> Path:
    folder = root / host / "hashicorp" / "aws" / version / (system or this_platform())
    folder.mkdir(parents=True)
    (folder / f"terraform-provider-aws_v{version}_x5").touch()
    return root


def packed(root: Path, version: str) -> Path:
    folder = root / HOST / "hashicorp" / "aws"
    folder.mkdir(parents=True)
    (folder / f"terraform-provider-aws_{version}_{this_platform()}.zip").touch()
    return root


@pytest.mark.parametrize("lay", [unpacked, packed])
def test_a_mirror_is_recognised_packed_and_unpacked(tmp_path: Path, lay: Callable[[Path, str], Path]) -> None:
    assert provider_version(lay(tmp_path, "5.100.0"), HOST) == "5.100.0"


@pytest.mark.parametrize("version", ["5.99.1", "6.0.0", "4.100.0", "5.100.0-beta1"])
def test_a_version_that_the_flock_does_not_take_does_not_count(tmp_path: Path, version: str) -> None:
    assert provider_version(unpacked(tmp_path, version), HOST) is None


def test_the_newest_suitable_version_counts(tmp_path: Path) -> None:
    for version in ("5.100.0", "5.101.2", "5.101.10", "6.1.0"):
        unpacked(tmp_path, version)
    assert provider_version(tmp_path, HOST) == "5.101.10"


def test_another_platform_or_another_registry_s_provider_does_not_count(tmp_path: Path) -> None:
    unpacked(tmp_path, "5.100.0", system="plan9_mips")
    unpacked(tmp_path, "5.100.0", host="registry.opentofu.org")
    assert provider_version(tmp_path, HOST) is None
    assert provider_version(tmp_path, "registry.opentofu.org") == "5.100.0"


def choose(tmp_path: Path, **changes: object) -> provider.ChosenProvider:
    arguments: dict[str, object] = {
        "plugin_dir": None,
        "environ": {"HOME": str(tmp_path / "home")},
        "terraform": Path("/usr/bin/terraform"),
        "install_dir": tmp_path / "install",
        **changes,
    }
    return choose_provider(**arguments)  # type: ignore[arg-type]  # one dictionary for all tests


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "registry_answers", lambda host: False)


def test_the_directory_that_the_user_names_wins(tmp_path: Path) -> None:
    named = unpacked(tmp_path / "named", "5.100.0")
    unpacked(tmp_path / "home" / ".terraform.d" / "plugins", "5.101.0")
    chosen = choose(tmp_path, plugin_dir=named)
    assert chosen.plugin_dir == named
    assert chosen.real
    assert "hashicorp/aws 5.100.0" in chosen.description


def test_a_named_directory_without_the_provider_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no") as caught:
        choose(tmp_path, plugin_dir=tmp_path)
    assert CONSTRAINT in str(caught.value)
    assert "mirror" in caught.value.hint


def test_the_setting_counts_as_named(tmp_path: Path) -> None:
    named = unpacked(tmp_path / "named", "5.100.0")
    assert choose(tmp_path, environ={"INTERLOCK_PLUGIN_DIR": str(named)}).plugin_dir == named


def test_a_mirror_of_the_cli_configuration_is_honoured(tmp_path: Path) -> None:
    mirror = unpacked(tmp_path / "mirror", "5.100.0")
    rc = tmp_path / "rc"
    rc.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
    assert choose(tmp_path, environ={"TF_CLI_CONFIG_FILE": str(rc)}).plugin_dir == mirror


def test_caches_are_honoured(tmp_path: Path) -> None:
    cache = unpacked(tmp_path / "cache", "5.100.0")
    assert choose(tmp_path, environ={"TF_PLUGIN_CACHE_DIR": str(cache)}).plugin_dir == cache
    (tmp_path / ".terraformrc").write_text(f'plugin_cache_dir = "{cache}"\n')
    assert choose(tmp_path, environ={"HOME": str(tmp_path)}).plugin_dir == cache


def test_the_directories_that_terraform_knows_by_itself_are_honoured(tmp_path: Path) -> None:
    implied = unpacked(tmp_path / "home" / ".terraform.d" / "plugins", "5.100.0")
    assert choose(tmp_path).plugin_dir == implied


def test_opentofu_looks_for_its_own_registry_s_provider(tmp_path: Path, unreachable: None) -> None:
    folder = tmp_path / "home" / ".terraform.d" / "plugins"
    unpacked(folder, "5.100.0", host="registry.opentofu.org")
    assert choose(tmp_path, terraform=Path("/usr/bin/tofu")).plugin_dir == folder
    assert not choose(tmp_path).real


def test_a_missing_cli_configuration_is_no_error(tmp_path: Path) -> None:
    folders = list(candidate_directories({"TF_CLI_CONFIG_FILE": str(tmp_path / "none"), "HOME": "/h"}, tofu=False))
    assert Path("/h/.terraform.d/plugins") in folders


def test_where_the_registry_answers_terraform_fetches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "registry_answers", lambda host: host == HOST)
    terraform = tmp_path / "terraform"
    # Stands in for `terraform init`: puts the provider where the cache is wanted.
    terraform.write_text(
        "#!/bin/sh\n"
        f'd="$TF_PLUGIN_CACHE_DIR/{HOST}/hashicorp/aws/5.100.3/{this_platform()}"\n'
        'mkdir -p "$d" && touch "$d/terraform-provider-aws_v5.100.3"\n'
    )
    terraform.chmod(0o755)
    chosen = choose(tmp_path, terraform=terraform, environ={"PATH": os.environ["PATH"]})
    assert chosen.real
    assert "5.100.3 from the registry" in chosen.description


def test_a_download_that_fails_ends_at_the_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "registry_answers", lambda host: True)
    assert not choose(tmp_path, terraform=Path("/bin/false")).real


def test_offline_the_stand_in_is_laid_out_for_terraform_and_opentofu(tmp_path: Path, unreachable: None) -> None:
    chosen = choose(tmp_path)
    assert not chosen.real
    assert "stand-in" in chosen.description
    for host in (HOST, "registry.opentofu.org"):
        (program,) = (chosen.plugin_dir / host / "hashicorp" / "aws").glob("*/*/terraform-provider-aws_v*")
        assert os.access(program, os.X_OK)
        assert provider_version(chosen.plugin_dir, host) == "5.100.999"


def test_a_directory_with_a_quote_in_its_name_does_not_break_the_stand_in(tmp_path: Path) -> None:
    root = install_offline(tmp_path / "it's here")
    (program,) = (root / HOST / "hashicorp" / "aws").glob("*/*/*")
    assert "it'\\''s here" in program.read_text()


def test_the_named_terraform_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert terraform_of({"INTERLOCK_TERRAFORM": "/usr/bin/tofu"}) == Path("/usr/bin/tofu")
    assert terraform_of({}) is None
