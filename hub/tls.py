"""The hub's side of TLS: its certificate, whose nodes it lets in, and both read again while it runs."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

from hub.alerts.certificates import expires_at


class Tls:
    """What both ports serve. A connection keeps what it was opened with.

    Args:
        cert: a chain of certificates, the hub's own first.
        key: its private key.
        client_ca: authorities of which each node must show a certificate; None asks none.

    Raises:
        OSError: a file cannot be read; `ssl.SSLError` where it is not what it should be.
    """

    def __init__(self, cert: Path, key: Path | None, client_ca: Path | None) -> None:
        self._cert = cert
        self._key = key
        self._client_ca = client_ca
        self.for_clients = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.for_nodes = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        if client_ca is not None:
            self.for_nodes.verify_mode = ssl.CERT_REQUIRED
        self.expires_at: float | None = None
        """When the certificate that is served runs out, in seconds since 1970; None if its file does not say."""
        self.load()

    def load(self) -> None:
        """Serve to new connections what the files hold now. If one is wrong, what was served before still is.

        An authority that is no longer in the file is trusted until the hub is started again: OpenSSL adds to what it
        trusts and takes nothing away.

        Raises:
            OSError: a file cannot be read; `ssl.SSLError` where it is not what it should be.
        """
        # A context that has taken the certificate and then finds that the key is another's would serve neither.
        for context in (ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), self.for_clients, self.for_nodes):
            context.load_cert_chain(self._cert, self._key)
            if self._client_ca is not None and context is not self.for_clients:
                context.load_verify_locations(self._client_ca)
        with contextlib.suppress(ValueError):
            self.expires_at = expires_at(self._cert.read_text("ascii", "replace"))
