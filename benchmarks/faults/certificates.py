"""Certificates for servers and clients on this machine; used by tests too."""

from __future__ import annotations

import subprocess
from pathlib import Path


def certificate(directory: Path, name: str) -> tuple[str, str]:
    """Make a certificate that signs itself; return the paths of it and of its key.

    Raises:
        CalledProcessError: openssl does not.
    """
    crt, key = directory / f"{name}.crt", directory / f"{name}.key"
    made = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        f"-subj /CN={name} -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {crt}"
    )
    subprocess.run(made.split(), check=True, capture_output=True)
    return str(crt), str(key)
