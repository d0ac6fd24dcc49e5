"""What the simulation prints and draws."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

from click.testing import CliRunner

from benchmarks.storm import POLICIES, course, main
from benchmarks.storm_picture import draw
from benchmarks.storm_world import Storm

SVG = "{http://www.w3.org/2000/svg}"


def test_one_json_object_tells_each_storm_and_its_settings() -> None:
    told = CliRunner().invoke(main, ["--nodes", "200", "--admissions-per-s", "50", "--seed", "7", "--json"])
    assert told.exit_code == 0
    result = json.loads(told.stdout)
    assert [(row["policy"], row["nodes"], row["seed"]) for row in result["storms"]] == [
        (policy, 200, 7) for policy in POLICIES
    ]
    assert result["settings"]["admissions_per_s"] == 50


def test_the_table_has_a_head_and_a_row_for_each_storm() -> None:
    told = CliRunner().invoke(main, ["--nodes", "100", "--admissions-per-s", "1", "--seed", "1", "--seed", "2"])
    lines = told.stdout.splitlines()
    assert "tries_mean" in lines[0]
    assert len(lines) == 1 + 2 * len(POLICIES)


def test_the_picture_is_well_formed_and_shows_each_policy_by_name_and_by_two_lines(tmp_path: Path) -> None:
    path = tmp_path / "storm.svg"
    arguments = ["--nodes", "300", "--admissions-per-s", "30", "--seed", "1", "--json", "--picture", str(path)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    picture = ET.parse(path).getroot()
    words = [element.text for element in picture.iter(f"{SVG}text")]
    assert set(POLICIES) <= set(words)
    # Two for each policy, and the limit in each panel.
    assert len(list(picture.iter(f"{SVG}polyline"))) == 2 * len(POLICIES) + 2


def test_every_line_of_the_picture_stays_on_the_paper() -> None:
    storm = Storm(nodes=400, outage_s=3, admissions_per_s=20)
    picture = ET.fromstring(draw({policy: course(policy, storm) for policy in POLICIES}))
    width, height = (float(picture.attrib[side]) for side in ("width", "height"))
    for line in picture.iter(f"{SVG}polyline"):
        points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
