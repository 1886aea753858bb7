"""Checks the signature of a webhook's request, with the standard library alone."""

import base64
import hmac
import os
import sys
import time

# How far the sender's clock and ours may be apart, in seconds.
TOLERANCE = 5 * 60


def verify(secret: str, webhook_id: str, timestamp: str, signatures: str, body: bytes) -> None:
    """Raises ValueError unless `body`, the bytes as they came, was signed with `secret` a moment ago."""
    if not secret.startswith("whsec_"):
        raise ValueError("the secret does not begin with whsec_")
    if abs(int(time.time()) - int(timestamp)) > TOLERANCE:
        raise ValueError("the timestamp is too far from now")

    key = base64.b64decode(secret[len("whsec_"):], validate=True)
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256"))
    # While a secret is rotated there is a signature for each of them; one that fits is enough.
    if not any(hmac.compare_digest(expected, each.encode()) for each in signatures.split(" ")):
        raise ValueError("no signature fits")


if __name__ == "__main__":
    names = ("WEBHOOK_SECRET", "WEBHOOK_ID", "WEBHOOK_TIMESTAMP", "WEBHOOK_SIGNATURE")
    try:
        verify(*(os.environ[name] for name in names), sys.stdin.buffer.read())
    except ValueError as error:
        sys.exit(f"refused: {error}")
