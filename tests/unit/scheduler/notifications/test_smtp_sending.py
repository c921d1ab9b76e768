"""One attempt by mail, to a real server."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

import pytest

from scheduler.notifications.events import Kind
from scheduler.notifications.smtp_sending import MAX_REPLIES_BYTES, send_email
from tests.receivers import Authority, SmtpReceiver
from tests.unit.scheduler.notifications.support import FULL, event, mail

SHORT_S = 0.3


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def test_a_mail_arrives_as_it_was_made() -> None:
    with SmtpReceiver() as server:
        attempt = send_email(mail(server.port), FULL[Kind.HALT], name="ops")
    assert (attempt.delivered, attempt.note) == (True, "")
    (got,) = server.mails
    assert got.recipients == ["oncall@example.com"]
    assert "interlock@example.com" in got.sender
    made = email.message_from_bytes(got.content, policy=email.policy.default)
    # It is folded: too long for one line.
    assert made["Subject"].strip().startswith("[interlock] Halted: shop.eu-west-1")
    assert made["Message-ID"] == f"<{FULL[Kind.HALT].id}.ops@example.com>"


def test_starttls_comes_before_the_login(authority: Authority) -> None:
    with SmtpReceiver(tls=authority.server_context) as server:
        options = {"security": "starttls", "username": "me", "password": {"env": "X"}}
        destination = mail(server.port, secret="right", ca_file=authority.ca_file, **options)
        assert send_email(destination, event(), name="ops").delivered
    assert [(got.tls, got.login) for got in server.mails] == [(True, ("me", "right"))]


def test_tls_from_the_first_byte(authority: Authority) -> None:
    with SmtpReceiver(tls=authority.server_context, implicit=True) as server:
        destination = mail(server.port, security="tls", ca_file=authority.ca_file)
        assert send_email(destination, event(), name="ops").delivered
    assert [got.tls for got in server.mails] == [True]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_cannot_prove_its_name_gets_nothing(authority: Authority, security: str) -> None:
    with SmtpReceiver(tls=authority.server_context, implicit=security == "tls") as server:
        attempt = send_email(mail(server.port, security=security), event(), name="ops")
    assert "CERTIFICATE_VERIFY_FAILED" in attempt.note
    assert server.mails == []


def test_a_certificate_for_another_host_proves_nothing(tmp_path: Path) -> None:
    other = Authority(tmp_path / "other", "example.com")
    for implicit in (False, True):
        with SmtpReceiver(tls=other.server_context, implicit=implicit) as server:
            security = "tls" if implicit else "starttls"
            attempt = send_email(mail(server.port, security=security, ca_file=other.ca_file), event(), name="ops")
        assert "IP address mismatch" in attempt.note
        assert server.mails == []


def test_nothing_is_sent_in_clear_where_tls_was_asked_for(authority: Authority) -> None:
    with SmtpReceiver(tls=authority.server_context, mode="no starttls") as server:
        attempt = send_email(mail(server.port, security="starttls"), event(), name="ops")
    assert "STARTTLS" in attempt.note
    assert server.mails == []


def test_a_login_that_is_refused_is_a_failure_that_does_not_name_the_password(authority: Authority) -> None:
    with SmtpReceiver(tls=authority.server_context) as server:
        options = {"security": "starttls", "username": "me", "password": {"env": "X"}}
        destination = mail(server.port, secret="hunter2", ca_file=authority.ca_file, **options)
        attempt = send_email(destination, event(), name="ops")
    assert attempt.note == "SMTP 535: who are you"


def test_a_server_that_wants_it_later_gets_it_later() -> None:
    with SmtpReceiver(mode="later") as server:
        attempt = send_email(mail(server.port), event(), name="ops")
    assert (attempt.delivered, attempt.note) == (False, "SMTP 451: come back later")


def test_a_server_that_vanishes_before_it_accepts_is_a_failure() -> None:
    with SmtpReceiver(mode="vanish") as server:
        attempt = send_email(mail(server.port), event(), name="ops")
    assert (attempt.delivered, "SMTPServerDisconnected" in attempt.note) == (False, True)


def test_a_rude_farewell_does_not_take_the_mail_back() -> None:
    with SmtpReceiver(mode="rude") as server:
        assert send_email(mail(server.port), event(), name="ops").delivered


def test_recipients_that_are_refused_are_named_and_the_others_have_it() -> None:
    with SmtpReceiver(unknown=("gone@example.com",)) as server:
        to = ["oncall@example.com", "gone@example.com"]
        attempt = send_email(mail(server.port, to=to), event(), name="ops")
    assert (attempt.delivered, attempt.note) == (True, "refused for gone@example.com")
    assert [got.recipients for got in server.mails] == [["oncall@example.com"]]


def test_if_all_are_refused_it_failed() -> None:
    with SmtpReceiver(unknown=("oncall@example.com",)) as server:
        attempt = send_email(mail(server.port), event(), name="ops")
    assert (attempt.delivered, attempt.note) == (False, "refused for oncall@example.com (550)")


@pytest.mark.parametrize("mode", ["hang", "trickle"])
def test_a_server_that_does_not_come_to_an_end_is_given_up(mode: str) -> None:
    with SmtpReceiver(mode=mode) as server:
        attempt = send_email(mail(server.port), event(), name="ops", total_s=SHORT_S)
    assert not attempt.delivered
    assert attempt.note.endswith(f"given up after {SHORT_S:g} s") or attempt.note.startswith("TimeoutError")


def test_a_server_that_talks_without_end_is_not_listened_to() -> None:
    with SmtpReceiver(mode="endless") as server:
        attempt = send_email(mail(server.port), event(), name="ops")
    assert "talks too much" in attempt.note or "closed" in attempt.note
    assert server.sent > MAX_REPLIES_BYTES


def test_nobody_there_is_a_failure() -> None:
    with SmtpReceiver() as server:
        pass
    assert "ConnectionRefusedError" in send_email(mail(server.port), event(), name="ops").note
