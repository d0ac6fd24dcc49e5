"""The diagnosis pack: what one asks of a machine that one cannot log in to.

Serve it with ``moorline node --app examples.diagnosis``. Every task only looks and changes nothing, so each may run
again when its node dies. What a check finds (a closed port, an expired certificate) is its result and never an
error; an error is a question that makes no sense, and its message names the parameter, the value and what would be
right.
"""

from examples.diagnosis.certificates import certificate_check
from examples.diagnosis.checksums import checksum_tree
from examples.diagnosis.files import largest_files
from examples.diagnosis.host import host_report
from examples.diagnosis.logs import search_logs
from examples.diagnosis.names import look_up_name
from examples.diagnosis.network import http_check, tcp_check

__all__ = [
    "certificate_check",
    "checksum_tree",
    "host_report",
    "http_check",
    "largest_files",
    "look_up_name",
    "search_logs",
    "tcp_check",
]
