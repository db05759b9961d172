"""Alertmanager's webhook in, one JSON object for each alert out.

Room: `cli`. Alertmanager sends alerts by the group, in a shape of its own; people's webhooks ask for one alert with
its value and threshold. An alert that has been delivered is not delivered again while it stays the same, and one that
cannot be delivered is Alertmanager's to keep: it is answered with an error, upon which Alertmanager tries again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from otel_llm_router import redaction
from otel_llm_router.cli.alerts import _alert
from otel_llm_router.cli.alerts._alert import Alert, NotAnAlertError
from otel_llm_router.cli.alerts._post import Answer, NotDeliveredError, post

WINDOW_SECONDS: Final = 3_000.0
"""How long an alert that has been delivered counts as known: less than the shortest time after which Alertmanager is
told to repeat itself, an hour."""
PAUSES: Final = (0.5, 1.0, 2.0)
"""Seconds before the second and each later attempt."""
MAX_PAUSE: Final = 10.0
MAX_KNOWN: Final = 10_000
"""Alerts that are remembered; beyond them the oldest is forgotten, and may be delivered twice."""

Say = Callable[[str], None]


class Relay:
    """Delivers what Alertmanager posts.

    Args:
        url: Where each alert goes.
        say: Takes a line about each thing that went wrong.
        window: Seconds for which an alert that has been delivered is known.
        pauses: Seconds before the second and each later attempt.
    """

    def __init__(self, url: str, *, say: Say, window: float = WINDOW_SECONDS, pauses: Sequence[float] = PAUSES) -> None:
        self._url = url
        self._say = say
        self._window = window
        self._pauses = pauses
        self._known: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, body: bytes) -> tuple[int, str]:
        """Deliver what a body holds; the result is the answer to Alertmanager, as a status and a text.

        200 when everything has arrived or was known; 502 when something may arrive later, upon which Alertmanager
        tries again; 422 when the other side will never take it; 400 when the body is not Alertmanager's.
        """
        try:
            alerts = _alert.of_alertmanager(body)
        except NotAnAlertError as error:
            return 400, str(error)
        results = [self._deliver(alert) for alert in alerts if self._is_new(alert)]
        failed = [(again, text) for again, text in results if text]
        if not failed:
            return 200, f"{len(results)} delivered, {len(alerts) - len(results)} known"
        return (502 if any(again for again, _ in failed) else 422), "; ".join(text for _, text in failed)

    def _is_new(self, alert: Alert) -> bool:
        """Whether nobody has delivered this alert or is about to; from now on it is known."""
        now = time.monotonic()
        with self._lock:
            for key in [key for key, until in self._known.items() if until <= now]:
                del self._known[key]
            if alert.key in self._known:
                return False
            while len(self._known) >= MAX_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[alert.key] = now + self._window
            return True

    def _deliver(self, alert: Alert) -> tuple[bool, str]:
        """Deliver one alert; the result is whether another try makes sense, and what is wrong: nothing is success."""
        body = _alert.webhook(alert)
        pauses = iter(self._pauses)
        while True:
            answer, wrong = self._attempt(body)
            if not wrong:
                return False, ""
            again = answer is None or answer.temporary
            pause = next(pauses, None) if again else None
            if pause is None:
                break
            asked = answer.retry_after if answer is not None else None
            time.sleep(min(max(pause, asked or 0.0), MAX_PAUSE))
        with self._lock:
            self._known.pop(alert.key, None)
        text = f"{redaction.text(alert.name)} is not delivered: {wrong}"
        self._say(text)
        return again, text

    def _attempt(self, body: bytes) -> tuple[Answer | None, str]:
        try:
            answer = post(self._url, body)
        except NotDeliveredError as error:
            return None, str(error)
        return answer, "" if answer.accepted else f"the webhook answers {answer.status}"
