"""Terraform's CLI configuration: what of it gets into a sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from worker.cli_config import Mirror, ProviderSources, load_provider_sources, parse_cli_config, render_cli_config

FULL = """
# a comment
plugin_cache_dir   = "$HOME/.terraform.d/plugin-cache"
disable_checkpoint = true
credentials "app.example.com" { token = "secret-token" }
credentials_helper "x" { args = ["--host", "h"] }
provider_installation {
  /* our own mirror */
  filesystem_mirror {
    path    = "/mirror"
    include = ["example.com/*/*", "registry.terraform.io/hashicorp/aws"]
  }
  network_mirror { url = "https://mirror.example/" }
  dev_overrides { "example.com/x/y" = "/dev-build" }
  direct { exclude = ["example.com/*/*"] } // rest
}
"""


def test_the_sources_are_read_and_nothing_else() -> None:
    sources = parse_cli_config(FULL, name="rc")
    assert sources == ProviderSources(
        mirrors=(Mirror(path=Path("/mirror"), include=("example.com/*/*", "registry.terraform.io/hashicorp/aws")),),
        overrides=(("example.com/x/y", Path("/dev-build")),),
        network_mirrors=("https://mirror.example/",),
        direct=True,
    )
    assert sources.directories == (Path("/mirror"), Path("/dev-build"))


def test_what_goes_into_the_sandbox_holds_no_token_and_reads_back_the_same() -> None:
    sources = parse_cli_config(FULL, name="rc")
    written = render_cli_config(sources)
    assert "secret-token" not in written
    assert "disable_checkpoint = true" in written
    assert parse_cli_config(written, name="written") == sources


def test_without_an_installation_block_the_registries_are_asked() -> None:
    assert parse_cli_config('plugin_cache_dir = "/x"', name="rc") == ProviderSources()
    assert "direct {}" in render_cli_config(ProviderSources())


def test_a_mirror_alone_excludes_the_registries() -> None:
    sources = parse_cli_config('provider_installation { filesystem_mirror { path = "/m" } }', name="rc")
    assert not sources.direct
    assert "direct" not in render_cli_config(sources)


@pytest.mark.parametrize("text", ["a = ", "provider_installation {", "?", "x [", '"open', "a b c", "a = [}"])
def test_what_terraform_would_not_read_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match="rc: "):
        parse_cli_config(text, name="rc")


def test_a_file_that_is_named_but_missing_is_ignored_with_a_note(tmp_path: Path) -> None:
    sources, note = load_provider_sources({"TF_CLI_CONFIG_FILE": str(tmp_path / "gone")}, tmp_path)
    assert not [mirror for mirror in sources.mirrors if mirror.path.is_relative_to(tmp_path)]
    assert "gone, which does not exist" in note


def test_the_users_own_file_and_implied_mirror_are_found(tmp_path: Path) -> None:
    implied = tmp_path / ".terraform.d" / "plugins"
    implied.mkdir(parents=True)
    sources, note = load_provider_sources({}, tmp_path)
    assert implied in sources.directories
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (tmp_path / ".terraformrc").write_text(
        f'provider_installation {{\n filesystem_mirror {{\n path = "{mirror}"\n }}\n}}'
    )
    sources, note = load_provider_sources({}, tmp_path)
    assert (sources.directories, note) == ((mirror,), "")


def test_a_mirror_that_is_not_there_is_named(tmp_path: Path) -> None:
    rc = tmp_path / "rc"
    rc.write_text('provider_installation {\n filesystem_mirror {\n path = "/nowhere/mirror"\n }\n}')
    with pytest.raises(ConfigurationError, match="/nowhere/mirror is not a directory"):
        load_provider_sources({"TF_CLI_CONFIG_FILE": str(rc)}, tmp_path)


def test_a_mirror_behind_a_link_is_named_by_its_real_path(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    text = f'provider_installation {{\n filesystem_mirror {{ path = "{link}" }}\n}}\n'
    assert parse_cli_config(text, name="rc").directories == (real,)
