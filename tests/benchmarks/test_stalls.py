from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from benchmarks.stalls import hanging


def test_a_collector_that_hangs_takes_a_request_and_never_answers():
    with hanging() as url:
        port = urlsplit(url).port
        assert port is not None
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"POST /v1/traces HTTP/1.1\r\n\r\n")
            connection.settimeout(0.05)
            with pytest.raises(TimeoutError):
                connection.recv(1)
