"""The operator's file of destinations."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.notifications.destinations import Directory, Email, Slack, Webhook, checked_url, load_directory
from scheduler.notifications.events import Kind
from shared.errors import ConfigurationError
from tests.unit.scheduler.notifications.support import KEY, SECRET, event

GOOD = """\
destinations:
  ops:
    webhook:
      url: https://hooks.example.com/interlock
      secret: {file: ops.whsec}
  chat:
    slack:
      url: {env: CHAT_URL}
  mail:
    email:
      host: smtp.example.com
      port: 587
      from: interlock@example.com
      to: [oncall@example.com]
      username: interlock
      password: {env: MAIL_PASSWORD}
routes:
  - to: [ops]
  - to: [chat, ops]
    kinds: [halt, lost_lease]
  - to: [mail]
    kinds: [approval_wanted]
    flocks: [shop]
"""
ENVIRON = {"CHAT_URL": "https://chat.example.com/services/s3cr3t", "MAIL_PASSWORD": "hunter2"}


def load(folder: Path, text: str = GOOD, *, secret: str = SECRET, environ: dict[str, str] | None = None) -> Directory:
    path = folder / "notifications.yaml"
    path.write_text(text)
    private = folder / "ops.whsec"
    private.write_text(f"{secret}\n")
    private.chmod(0o600)
    return load_directory(path, ENVIRON if environ is None else environ)


def refusal(folder: Path, text: str = GOOD, **options: object) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load(folder, text, **options)  # type: ignore[arg-type]  # passed through
    assert "docs/notifications.md" in refused.value.hint
    for secret in (SECRET, "s3cr3t", "hunter2"):
        assert secret not in str(refused.value)
    return str(refused.value)


def test_destinations_have_their_secrets_from_files_and_environment(tmp_path: Path) -> None:
    found = load(tmp_path).destinations
    ops, chat, mail = found["ops"], found["chat"], found["mail"]
    assert isinstance(ops, Webhook)
    assert isinstance(chat, Slack)
    assert isinstance(mail, Email)
    assert (ops.url, ops.keys) == ("https://hooks.example.com/interlock", (KEY,))
    assert chat.url == ENVIRON["CHAT_URL"]
    assert (mail.part.security, mail.password) == ("starttls", "hunter2")
    for secret in ("s3cr3t", "hunter2", repr(KEY)):
        assert secret not in repr(found)


@pytest.mark.parametrize(
    ("kind", "flock", "names"),
    [
        (Kind.DRIFT, "shop", ("ops",)),
        (Kind.HALT, "shop", ("chat", "ops")),
        (Kind.LOST_LEASE, "web", ("chat", "ops")),
        (Kind.APPROVAL_WANTED, "shop", ("mail", "ops")),
        (Kind.APPROVAL_WANTED, "web", ("ops",)),
    ],
)
def test_every_route_that_fits_counts_and_each_destination_once(
    tmp_path: Path, kind: Kind, flock: str, names: tuple[str, ...]
) -> None:
    assert load(tmp_path).names_for(event(kind, flock=flock)) == names


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("https://hooks", "http://hooks", "line 4: destinations.ops.webhook.url: must begin with https://"),
        ("https://hooks", "https://u:p@hooks", "must not hold a user or password"),
        ("hooks.example.com/interlock", "hooks.example.com:x/", "port"),
        ("    webhook:\n", "    webhoook:\n", "there is no such key here"),
        ("secret: {file: ops.whsec}", "secret: whsec_abc", "destinations.ops.webhook.secret"),
        ("{file: ops.whsec}", "{file: ops.whsec, env: X}", "give either file or env"),
        ("{file: ops.whsec}", "{file: none.whsec}", "none.whsec does not exist"),
        ("{env: CHAT_URL}", "{env: NOTHING}", "the variable NOTHING does not exist"),
        ("port: 587", "port: 587\n      security: none", "security none is for a mail server on this machine"),
        ("      username: interlock\n", "", "give username and password, or neither"),
        ("to: [oncall@example.com]", "to: []", "destinations.mail.email.to"),
        ("oncall@example.com", "on call", "destinations.mail.email.to"),
        ("oncall@example.com", "on..call@example.com", "on..call@example.com is no mail address"),
        ("from: interlock@example.com", "from: interlock", "destinations.mail.email.from"),
        ("kinds: [halt, lost_lease]", "kinds: [halted]", "routes"),
        ("kinds: [halt, lost_lease]", "kinds: [test]", "a test goes where"),
        ("to: [chat, ops]", "to: [chatt, ops]", "a route leads to chatt"),
        ("to: [chat, ops]", "to: [ops]", "no route leads to chat"),
        ("  mail:\n    email:", "  mail:\n    slack: {url: {env: CHAT_URL}}\n    email:", "exactly one of"),
    ],
)
def test_a_file_that_is_no_good_is_refused_with_its_place(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in GOOD
    assert complaint in refusal(tmp_path, GOOD.replace(old, new))


def test_a_secret_that_is_none_is_refused_and_not_quoted(tmp_path: Path) -> None:
    assert "must begin with whsec_" in refusal(tmp_path, secret="s3cr3t")
    assert "more than one line" in refusal(tmp_path, secret=f"{SECRET}\n{SECRET}")
    wrong = {**ENVIRON, "CHAT_URL": "http://chat.example.com/services/s3cr3t"}
    assert "slack.url: the address must begin with https://" in refusal(tmp_path, environ=wrong)


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    load(tmp_path)
    (tmp_path / "ops.whsec").chmod(0o644)
    with pytest.raises(ConfigurationError, match="may be read by others"):
        load_directory(tmp_path / "notifications.yaml", ENVIRON)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        load_directory(tmp_path / "none.yaml")


def test_an_old_secret_signs_as_well(tmp_path: Path) -> None:
    text = GOOD.replace("secret: {file: ops.whsec}", "secret: {file: ops.whsec}\n      old_secret: {env: OLD}")
    ops = load(tmp_path, text, environ={**ENVIRON, "OLD": SECRET}).destinations["ops"]
    assert isinstance(ops, Webhook)
    assert ops.keys == (KEY, KEY)


def test_certificates_are_found_beside_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("      secret:", "      ca_file: ca.pem\n      secret:")
    assert "ca.pem does not exist" in refusal(tmp_path, text)
    (tmp_path / "ca.pem").write_text("")
    ops = load(tmp_path, text).destinations["ops"]
    assert isinstance(ops, Webhook)
    assert ops.ca_file == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    "url", ["https://x.org/a?b=c", "http://127.0.0.1:8080/", "http://localhost/", "http://[::1]:1/"]
)
def test_addresses_that_may_be_called(url: str) -> None:
    assert checked_url(url) == url


@pytest.mark.parametrize(
    "url",
    ["", "x.org", "ftp://x.org", "https://", "http://169.254.169.254/", "http://127.0.0.1.evil.org/", "https://x/#a",
     "https://x/ y", "https://x/\r\n", "https://u@x/", "https://x:99999/", "file:///etc/passwd"],
)  # fmt: skip
def test_addresses_that_may_not(url: str) -> None:
    with pytest.raises(ValueError, match=r"must|port"):
        checked_url(url)
