"""What does a name resolve to, here, on this node: split horizons and stale caches show at once."""

from __future__ import annotations

import socket

from examples.diagnosis.connections import CheckFailedError, Stopwatch, deadline, family_name, look_up
from examples.diagnosis.validation import check_choice, check_host, check_seconds
from moorline import task

WITHIN_S_MAX = 60.0
# A result stays small whatever the resolver says.
ADDRESSES_MAX = 64

_FAMILIES = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


@task(name="diagnosis.look_up_name", timeout_s=WITHIN_S_MAX + 5, labels={"pack": "diagnosis"})
async def look_up_name(name: str, family: str = "any", within_s: float = 5.0) -> dict[str, object]:
    """Ask the node's own resolver for the addresses of a name: hosts file, DNS, and whatever else it is set to use.

    Args:
        name: a host name.
        family: ``any``, ``ipv4`` or ``ipv6``.
        within_s: give up after this long (0.1-60 s); that is then the result.

    Returns:
        ``name, is_known, ipv4, ipv6, look_up_ms, failure``: the addresses as two lists in the resolver's order, at
        most 64 in all; ``failure`` is None or ``{kind, message}``.

    Raises:
        ValueError: an argument makes no sense.
    """
    check_host("name", name)
    check_choice("family", family, _FAMILIES)
    check_seconds("within_s", within_s, 0.1, WITHIN_S_MAX)
    found: dict[str, list[str]] = {"ipv4": [], "ipv6": []}
    failure: CheckFailedError | None = None
    watch = Stopwatch()
    try:
        async with deadline(within_s):
            for kind, address in (await look_up(name, 0, _FAMILIES[family]))[:ADDRESSES_MAX]:
                found[family_name(kind)].append(address[0])
    except CheckFailedError as error:
        failure = error
    return {
        "name": name,
        "is_known": failure is None,
        **found,
        "look_up_ms": watch.total_ms(),
        "failure": failure.as_json() if failure else None,
    }
