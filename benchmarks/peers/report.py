"""From results to documents: the table in ``docs/explanation/performance.md`` and the picture ``docs/peers.svg``.

``python -m benchmarks.peers.report`` does it for ``benchmarks/results/peers.json``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import click

from benchmarks.peers.environments import ROOT
from benchmarks.peers.figures import TIMES, Spread, ratio, spread, verdicts
from benchmarks.peers.picture import draw
from benchmarks.peers.record import OURS, RESULTS, Entry, Record, load_between, read

DOCUMENT: Final = ROOT / "docs" / "explanation" / "performance.md"
PICTURE: Final = ROOT / "docs" / "peers.svg"

BEGIN: Final = "<!-- peers: written by python -m benchmarks.peers.report -->"
END: Final = "<!-- peers: end -->"

_MEASURE_NAMES: Final = {"tasks_per_s": "tasks/s", "p50_ms": "p50, one at a time", "p99_ms": "p99, one at a time"}


def publish(record: Record, document: Path = DOCUMENT, picture: Path = PICTURE) -> None:
    """Write the tables between the marks of the document, and draw the picture.

    Raises:
        ValueError: The document has no marks.
    """
    document.write_text(with_part(document.read_text(), part(record)))
    picture.write_text(draw(record))


def with_part(text: str, part: str) -> str:
    """Give the text with what stands between the marks replaced.

    Raises:
        ValueError: The marks are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{part}\n{END}{after}"


def part(record: Record) -> str:
    """Give all that the document says of one comparison, as Markdown."""
    pieces = [_conditions(record), figures_table(record), _left_out(record)]
    pieces += ["### Targets", targets_table(record), "### Settings and versions", _settings_table(record)]
    return "\n\n".join(piece for piece in pieces if piece)


# --- tables ---------------------------------------------------------------------------------------------------------


def figures_table(record: Record) -> str:
    """Give the table of figures: Moorline, the others from the fastest to the slowest, the floors."""
    head = (
        "system",
        "tasks/s",
        "Moorline is",
        "p50, ms",
        "p99, ms",
        "on disk when a submit returns",
        "on disk when a result is seen",
        "tasks a round",
    )
    return _table(head, (_figures_row(record, entry) for entry in in_order(record)))


def targets_table(record: Record) -> str:
    """Give the table of targets, each marked met or missed."""
    labels = {entry.name: entry.label for entry in record.entries}
    rows = (
        (
            f"{_MEASURE_NAMES[verdict.target.measure]}, against {labels.get(verdict.target.peer, verdict.target.peer)}",
            verdict.target.text,
            "not measured" if verdict.ratio is None else f"{_short(verdict.ratio)} {TIMES}",
            "met" if verdict.is_met else "**missed**",
        )
        for verdict in verdicts(record.by_name(), OURS)
    )
    return _table(("Moorline ÷ the other, median of the rounds", "target", "measured", ""), rows)


def in_order(record: Record) -> list[Entry]:
    """Give those with figures: Moorline, the others from the fastest to the slowest, the floors."""
    return sorted(
        (entry for entry in record.entries if entry.rounds),
        key=lambda entry: (entry.name != OURS, entry.is_floor, -spread(entry.rounds, "tasks_per_s").median),
    )


def _figures_row(record: Record, entry: Entry) -> tuple[str, ...]:
    ours = record.by_name().get(OURS, {})
    compared = None if entry.name == OURS else ratio(ours, entry.rounds, "tasks_per_s")
    failed = f" (failed in {len(entry.failures)} of {record.rounds} rounds)" if entry.failures else ""
    return (
        (f"**{entry.label}**" if entry.name == OURS else entry.label) + failed,
        _whole(spread(entry.rounds, "tasks_per_s")),
        "" if compared is None else f"{_fine(compared)} {TIMES}",
        _fine(spread(entry.rounds, "p50_ms")),
        _fine(spread(entry.rounds, "p99_ms")),
        entry.on_submit,
        entry.on_result,
        f"{next(iter(entry.rounds.values())).tasks:,}",
    )


def _settings_table(record: Record) -> str:
    rows = (
        (
            entry.label,
            entry.settings,
            ", ".join(f"{name} {version}" if name != "server" else version for name, version in entry.versions.items()),
            entry.source,
        )
        for entry in in_order(record)
    )
    return _table(("system", "settings", "versions", "source of what is on disk"), rows)


def _conditions(record: Record) -> str:
    told = record.conditions
    before, after = load_between(record)
    return (
        f"Measured in {record.rounds} {'round' if record.rounds == 1 else 'rounds'} on {told['cores']} cores"
        f" ({told['cpu']}), {told['memory_gib']} GiB, {told['kernel']}, Python {told['python']}; load {before:.2f}"
        f" before and {after:.2f} after a system's turn (medians). Figures are medians, in brackets the range of the"
        " rounds."
    )


def _left_out(record: Record) -> str:
    reasons = [f"- {entry.label}: {entry.left_out}" for entry in record.entries if entry.left_out]
    reasons += [
        f"- {entry.label}: failed in every round: {next(iter(entry.failures.values())).splitlines()[0]}"
        for entry in record.entries
        if entry.failures and not entry.rounds
    ]
    return "\n".join(["Left out:", "", *reasons]) if reasons else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


# --- numbers --------------------------------------------------------------------------------------------------------


def _whole(values: Spread) -> str:
    if values.least == values.most:
        return f"{values.median:,.0f}"
    return f"{values.median:,.0f} ({values.least:,.0f}-{values.most:,.0f})"


def _fine(values: Spread) -> str:
    if values.least == values.most:
        return _short(values.median)
    return f"{_short(values.median)} ({_short(values.least)}-{_short(values.most)})"


def _short(value: float) -> str:
    """Give three digits, or all of a larger number."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@click.command()
@click.option("--results", default=RESULTS, show_default=True, type=click.Path(path_type=Path, exists=True))
def main(results: Path) -> None:
    """Write the table and draw the picture from kept results."""
    publish(read(results))
    click.echo(f"wrote {DOCUMENT.relative_to(ROOT)} and {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
