"""Where alerts go: a signed webhook, Slack, Telegram, e-mail. Set by the environment, since each holds a secret."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpx
from pydantic import SecretStr

from app.core.config import Settings
from app.core.exceptions import ServiceUnavailableError
from app.domain.models import Notification
from app.domain.schemas.notification import AlertChannel

_TIMEOUT_SECONDS: Final = 10.0
SIGNATURE_HEADER: Final = "X-Rosetta-Signature"


class _HttpChannel:
    """Posts JSON; what goes wrong is told without the address, which is a secret."""

    name: str

    async def _post(self, url: str, content: bytes, headers: dict[str, str]) -> None:
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, follow_redirects=False) as client:
                answer = await client.post(url, content=content, headers={"Content-Type": "application/json"} | headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _failed(self.name, type(error).__name__) from None
        if not answer.is_success:
            raise _failed(self.name, f"status {answer.status_code}")


class Webhook(_HttpChannel):
    """The notification as JSON, with `X-Rosetta-Signature: sha256=<HMAC-SHA-256 of the body>` by the shared secret."""

    name: str = AlertChannel.WEBHOOK.value

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._secret = secret

    async def send(self, notification: Notification, *, resolved: bool) -> None:
        body = json.dumps(_as_json(notification, resolved)).encode()
        signature = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        await self._post(self._url, body, {SIGNATURE_HEADER: f"sha256={signature}"})


class Slack(_HttpChannel):
    name: str = AlertChannel.SLACK.value

    def __init__(self, url: str) -> None:
        self._url = url

    async def send(self, notification: Notification, *, resolved: bool) -> None:
        # Names are of any text: none of them may mention a channel, or be a link.
        text = _as_text(notification, resolved).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        await self._post(self._url, json.dumps({"text": text}).encode(), {})


class Telegram(_HttpChannel):
    name: str = AlertChannel.TELEGRAM.value

    def __init__(self, token: str, chat: str, base_url: str = "https://api.telegram.org") -> None:
        self._url = f"{base_url}/bot{token}/sendMessage"
        self._chat = chat

    async def send(self, notification: Notification, *, resolved: bool) -> None:
        body = {"chat_id": self._chat, "text": _as_text(notification, resolved)}
        await self._post(self._url, json.dumps(body).encode(), {})


class Email:
    """By SMTP: `smtp://user:password@host:port` (STARTTLS where the server offers it) or `smtps://`."""

    name: str = AlertChannel.EMAIL.value

    def __init__(self, url: str, sender: str, recipients: list[str]) -> None:
        self._url = url
        self._sender = sender
        self._recipients = recipients

    async def send(self, notification: Notification, *, resolved: bool) -> None:
        message = EmailMessage()
        # A title names pipelines, and a name that was given by SQL may have several lines; a header has one.
        title = " ".join(notification.title.split())
        message["Subject"] = f"[Rosetta] {'Resolved: ' if resolved else ''}{title}"
        message["From"], message["To"] = self._sender, ", ".join(self._recipients)
        message.set_content(_as_text(notification, resolved))
        try:
            await asyncio.to_thread(self._deliver, message)
        except (OSError, ValueError, smtplib.SMTPException) as error:  # ValueError: an address that cannot be one
            raise _failed(self.name, type(error).__name__) from None

    def _deliver(self, message: EmailMessage) -> None:
        parts = urlsplit(self._url)
        tls = parts.scheme == "smtps"
        host, port, trusted = parts.hostname or "", parts.port or 0, ssl.create_default_context()
        with (
            smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_SECONDS, context=trusted)
            if tls
            else smtplib.SMTP(host, port, timeout=_TIMEOUT_SECONDS)
        ) as client:
            client.ehlo()
            if not tls and client.has_extn("starttls"):
                client.starttls(context=trusted)
            if parts.username:
                client.login(unquote(parts.username), unquote(parts.password or ""))
            client.send_message(message)


# What each channel needs; it is on when all of them are set.
_NEEDED: Final[Mapping[AlertChannel, tuple[str, ...]]] = {
    AlertChannel.WEBHOOK: ("alert_webhook_url", "alert_webhook_secret"),
    AlertChannel.SLACK: ("alert_slack_url",),
    AlertChannel.TELEGRAM: ("alert_telegram_token", "alert_telegram_chat"),
    AlertChannel.EMAIL: ("alert_smtp_url", "alert_email_to"),
}


def missing_settings(settings: Settings) -> dict[AlertChannel, list[str]]:
    """The variables of the environment that each channel still needs; none for one that is on."""
    return {
        channel: [name.upper() for name in needed if not getattr(settings, name)] for channel, needed in _NEEDED.items()
    }


def channels_of(settings: Settings) -> list[Webhook | Slack | Telegram | Email]:
    """The channels that are on."""
    return [_made(channel, settings) for channel, missing in missing_settings(settings).items() if not missing]


def _made(channel: AlertChannel, settings: Settings) -> Webhook | Slack | Telegram | Email:
    match channel:
        case AlertChannel.WEBHOOK:
            return Webhook(_text(settings.alert_webhook_url), _text(settings.alert_webhook_secret))
        case AlertChannel.SLACK:
            return Slack(_text(settings.alert_slack_url))
        case AlertChannel.TELEGRAM:
            return Telegram(_text(settings.alert_telegram_token), settings.alert_telegram_chat or "")
        case AlertChannel.EMAIL:
            return Email(_text(settings.alert_smtp_url), settings.alert_email_from, settings.alert_email_to)


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def _failed(channel: str, why: str) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        f"The alert could not be sent by {channel} ({why}).",
        code="ALERT_NOT_SENT",
        remedy=f"Check the ALERT_ settings of {channel} in the backend's environment.",
    )


def _as_json(notification: Notification, resolved: bool) -> dict[str, Any]:
    return {
        "id": notification.id,
        "kind": notification.kind,
        "severity": str(notification.severity),
        "resolved": resolved,
        "title": notification.title,
        "message": notification.message,
        "remedy": notification.remedy,
        "pipeline_id": notification.pipeline_id,
        "source_id": notification.source_id,
        "destination_id": notification.destination_id,
        "created_at": notification.created_at.isoformat(),
    }


def _as_text(notification: Notification, resolved: bool) -> str:
    mark = "Resolved" if resolved else str(notification.severity)
    lines = [f"{mark}: {notification.title}", notification.message]
    if notification.remedy and not resolved:
        lines.append(f"What helps: {notification.remedy}")
    return "\n".join(lines)
