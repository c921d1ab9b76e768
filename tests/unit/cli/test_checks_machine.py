"""Checks of this host."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cli import checks_machine
from shared.errors import ConfigurationError
from shared.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    found = load_settings(home=tmp_path / "home")
    found.prepare()
    return found


def replaced(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(update=changes)


def test_the_interpreter_that_runs_this_is_new_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks_machine.python_version().status == "ok"
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    assert checks_machine.python_version().status == "fail"


def test_the_platform_must_be_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks_machine.platform().status == "ok"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert checks_machine.platform().status == "fail"


def test_a_token_that_others_can_read_fails_and_the_command_that_mends_it_is_given(settings: Settings) -> None:
    assert checks_machine.home(settings).status == "ok"
    token = settings.token_path("admin")
    token.parent.mkdir(mode=0o700)
    token.touch(mode=0o644)
    found = checks_machine.home(settings)
    assert (found.status, found.mend) == ("fail", f"chmod go= {token}")


def test_a_home_that_does_not_exist_yet_is_only_worth_knowing(settings: Settings, tmp_path: Path) -> None:
    assert checks_machine.home(replaced(settings, home=tmp_path / "new")).status == "warn"


def test_a_socket_path_that_no_address_holds_fails(settings: Settings, tmp_path: Path) -> None:
    assert checks_machine.proxy_socket(replaced(settings, proxy_socket=Path("/run/p.sock"))).status == "ok"
    assert checks_machine.proxy_socket(replaced(settings, proxy_socket=tmp_path / ("x" * 108))).status == "fail"


def test_a_real_sandbox_is_started(settings: Settings) -> None:
    found = checks_machine.sandbox(settings)
    assert (found.status, "trial sandbox" in found.what) == ("ok", True)


def test_a_sandbox_that_is_switched_off_is_a_warning_that_says_what_is_open(settings: Settings) -> None:
    found = checks_machine.sandbox(replaced(settings, sandbox="none"))
    assert found.status == "warn"
    assert "any network" in found.what


def test_a_bubblewrap_that_is_not_there_says_how_to_get_one(settings: Settings) -> None:
    with pytest.raises(ConfigurationError) as caught:
        checks_machine.sandbox(replaced(settings, bwrap=Path("/nowhere/bwrap")))
    assert "INTERLOCK_BWRAP" in caught.value.hint


def test_a_terraform_that_starts_is_named_with_its_version(settings: Settings, tmp_path: Path) -> None:
    assert checks_machine.terraform(replaced(settings, terraform=script(tmp_path, "echo Terraform v9"))).what == (
        f"Terraform v9 at {tmp_path / 'terraform'}"
    )
    broken = checks_machine.terraform(replaced(settings, terraform=script(tmp_path, "echo no luck; exit 1")))
    assert (broken.status, "no luck" in broken.what) == ("fail", True)


def script(folder: Path, body: str) -> Path:
    path = folder / "terraform"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_a_plugin_directory_is_read_as_a_mirror(settings: Settings, tmp_path: Path) -> None:
    assert checks_machine.providers(replaced(settings, plugin_dir=tmp_path)).status == "fail"
    (tmp_path / "registry.terraform.io" / "hashicorp" / "aws" / "5.0.0").mkdir(parents=True)
    found = checks_machine.providers(replaced(settings, plugin_dir=tmp_path))
    assert (found.status, found.what) == ("ok", f"{tmp_path}: hashicorp/aws")


def test_without_any_mirror_the_registry_is_out_of_reach_and_that_is_said(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = tmp_path / "rc"
    config.write_text("provider_installation {\n  direct {}\n}\n")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(config))
    found = checks_machine.providers(settings)
    assert (found.status, "no local provider mirror" in found.what) == ("warn", True)


def test_a_mirror_named_in_the_cli_configuration_counts(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = tmp_path / "mirror"
    (mirror / "registry.terraform.io" / "hashicorp" / "aws" / "5.0.0").mkdir(parents=True)
    config = tmp_path / "rc"
    config.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(config))
    assert checks_machine.providers(settings).what == f"{mirror}: hashicorp/aws"


def test_a_missing_valkey_only_fails_where_it_is_needed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise ConfigurationError("no embedded Valkey", hint="set INTERLOCK_REDIS_URL")

    assert checks_machine.valkey(settings).status == "ok"
    monkeypatch.setattr(checks_machine, "valkey_binary", missing)
    assert checks_machine.valkey(settings).status == "fail"
    assert checks_machine.valkey(load_settings(redis_url="redis://cache:1/0")).status == "warn"


@pytest.mark.parametrize(("days", "status"), [(400, "ok"), (10, "warn"), (-1, "fail")])
def test_a_certificate_is_judged_by_the_time_it_has_left(settings: Settings, days: int, status: str) -> None:
    assert checks_machine.certificate(settings).status == "warn"
    settings.ca_dir.mkdir()
    (settings.ca_dir / checks_machine.CA_FILE).write_bytes(certificate(datetime.now(UTC) + timedelta(days=days)))
    assert checks_machine.certificate(settings).status == status


def test_a_file_that_is_no_certificate_fails(settings: Settings) -> None:
    settings.ca_dir.mkdir()
    (settings.ca_dir / checks_machine.CA_FILE).write_text("x")
    assert checks_machine.certificate(settings).status == "fail"


def certificate(expires: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(expires - timedelta(days=800))
        .not_valid_after(expires)
        .sign(key, hashes.SHA256())
    ).public_bytes(encoding=serialization_pem())


def serialization_pem() -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.PEM


def test_a_missing_gate_in_the_kernel_is_a_warning_and_a_failure_where_it_is_required(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signing_proxy.kernel_gate.kernel_gate_problem", lambda clock: None)
    assert checks_machine.kernel_gate(settings).status == "ok"
    monkeypatch.setattr("signing_proxy.kernel_gate.kernel_gate_problem", lambda clock: "Operation not permitted")
    found = checks_machine.kernel_gate(settings)
    assert (found.status, "Operation not permitted" in found.what, "CAP_BPF" in found.mend) == ("warn", True, True)
    assert checks_machine.kernel_gate(replaced(settings, kernel_gate="required")).status == "fail"
