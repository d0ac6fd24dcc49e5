"""What a hub can say no to: settings that cannot be, and calls at a moment when nothing can be accepted."""

from __future__ import annotations


class HubError(Exception):
    """Base of the hub's own errors."""


class SettingsError(HubError):
    """A setting, or a set of them, is wrong. Change it; ``remedy`` says what would be right."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class HubDegradedError(HubError):
    """The store takes no commits now. Nothing happened; call again later, with the same ids."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the hub is degraded: {self.reason}"


class HubStoppingError(HubError):
    """The hub is on its way down. Nothing happened; call again when it is back, with the same ids."""

    def __str__(self) -> str:
        return "the hub is stopping"
