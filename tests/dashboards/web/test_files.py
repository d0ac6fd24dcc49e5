"""What the page is made of: nothing foreign that was changed, nothing that a strict policy forbids, nothing missing."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "dashboards" / "web"
VENDOR = PAGE / "vendor"
INDEX = (PAGE / "index.html").read_text()

MODULES = sorted(path for path in PAGE.rglob("*.js") if VENDOR not in path.parents)
SHEETS = sorted(path for path in PAGE.rglob("*.css") if VENDOR not in path.parents)


def name_of(path: Path) -> str:
    return path.relative_to(PAGE).as_posix()


# --- what others wrote ----------------------------------------------------------------------------------------------


def test_what_was_taken_from_elsewhere_is_as_it_came() -> None:
    sums = dict(line.split()[::-1] for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir() if path.name in sums}
    assert found == sums
    assert {path.name for path in VENDOR.iterdir()} == {*sums, "SHA256SUMS", "README.md"}


def test_each_thing_from_elsewhere_has_its_licence_and_its_version_beside_it() -> None:
    said = (VENDOR / "README.md").read_text()
    for path in VENDOR.iterdir():
        if path.name not in {"SHA256SUMS", "README.md"}:
            assert f"`{path.name}`" in said, path.name
    assert re.search(r"htm.* 3\.1\.1", said)
    assert re.search(r"uPlot.* 1\.6\.32", said)


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_page_holds_no_script_and_no_style_of_its_own() -> None:
    assert not re.search(r"<script(?![^>]*\bsrc=)", INDEX)
    assert "<style" not in INDEX
    assert not re.search(r"\b(style|on\w+)=", INDEX)


def test_the_page_names_every_file_once_so_that_all_of_them_come_in_one_round_trip() -> None:
    named = re.findall(r'(?:src|href)="static/-/([^"]+)"', INDEX)
    assert len(named) == len(set(named))
    modules = {name_of(path) for path in [*MODULES, *VENDOR.glob("*.js")]}
    sheets = {name_of(path) for path in [*SHEETS, *VENDOR.glob("*.css")]}
    assert set(named) == {*modules, *sheets, "mark.svg"}
    assert all((PAGE / name).is_file() for name in named)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_can_turn_a_text_into_markup_or_code(path: Path) -> None:
    source = path.read_text()
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|\beval\(|new Function"
    assert not re.search(forbidden, source)
    assert not re.search(r"https?://", source)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_import_of_a_module_is_there_and_used(path: Path) -> None:
    source = path.read_text()
    for names, target in re.findall(r'^import \{([^}]*)\} from "([^"]+)";', source, re.MULTILINE):
        imported = path.parent / target
        assert imported.is_file(), target
        text = imported.read_text()
        for name in names.replace("\n", " ").split(","):
            there, _, here = name.strip().partition(" as ")
            exported = re.search(rf"\bas {there}\b", text) or re.search(rf"export .*\b{there}\b", text)
            assert exported, f"{target} has no {there}"
            assert len(re.findall(rf"(?<!\w)(?<!\w\.){here or there}\b", source)) > 1, f"{here or there} is not used"


def test_a_wheel_holds_every_file() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["dashboards.web"]
    covered = {path for pattern in patterns for path in PAGE.glob(pattern)}
    files = {path for path in PAGE.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}}
    assert files <= covered


# --- colours --------------------------------------------------------------------------------------------------------

COLOURS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", (PAGE / "style" / "base.css").read_text()
    )
}

# WCAG 2.2, 1.4.3: what text of the usual size needs.
CONTRAST_MIN = 4.5


def luminance(colour: str) -> float:
    """Give how bright a colour is (WCAG 2.2, "relative luminance")."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *((text, ground) for text in ("ink", "soft", "faint", "good") for ground in ("panel", "ground")),
        *((tone, f"{tone}-ground") for tone in ("good", "busy", "warn", "bad", "calm")),
        *(("accent-ink", tone) for tone in ("good", "bad")),
    ],
)
def test_every_text_can_be_read(text: str, ground: str, scheme: str) -> None:
    place = ("light", "dark").index(scheme)
    assert contrast(COLOURS[text][place], COLOURS[ground][place]) >= CONTRAST_MIN


def test_no_text_is_made_fainter_than_its_colour() -> None:
    """What is not a text, or is a text of something that cannot be used now, may be."""
    source = re.sub(r"/\*.*?\*/", "", "\n".join(path.read_text() for path in SHEETS), flags=re.DOTALL)
    faded = {
        selector.strip()
        for selector, rule in re.findall(r"([^{}]+)\{([^{}]*)\}", source)
        if re.search(r"\bopacity: *(?! |1\b)", rule)
    }
    assert faded == {"button:disabled", "main.is-away", ".strip i.online", ".cell .fill", ".large .cell .fill"}


@pytest.mark.parametrize("scheme", [0, 1])
def test_well_and_not_well_differ_for_those_who_see_no_red_or_green(scheme: int) -> None:
    def blueness(name: str) -> int:
        colour = COLOURS[name][scheme]
        return int(colour[5:7], 16) - int(colour[1:3], 16)

    assert blueness("good") > 0 > blueness("bad")
    assert blueness("good") > 0 > blueness("warn")
