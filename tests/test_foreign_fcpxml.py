"""FCPXML as Final Cut Pro writes it for clips that hold clips: the film, frame and sample."""

from __future__ import annotations

from pathlib import Path

import pytest
from foreign_desk import A, B, a, b, black, film_of, make_desk

from hlcli.errors import TimelineError
from hlcli.timeline.read import read_timeline

ASSET = """
<asset id="{id}" name="{name}" start="0s" duration="4s" hasVideo="1" format="r1" hasAudio="1"
       audioSources="1" audioChannels="2" audioRate="48000">
  <media-rep kind="original-media" src="{url}"/></asset>
"""
ANGLES = """
<media id="r5" name="Stage"><multicam format="r1" tcStart="3600s" tcFormat="NDF">
  <mc-angle name="a" angleID="AAA"><gap offset="3600s" duration="10/25s" start="3600s"/>
    <asset-clip ref="ra" name="A" offset="90010/25s" duration="4s"/></mc-angle>
  <mc-angle name="b" angleID="BBB"><asset-clip ref="rb" name="B" duration="4s"/></mc-angle>
</multicam></media>
"""


def story(folder: Path, spine: str, *, resources: str = "") -> Path:
    assets = "".join(
        ASSET.format(id=id, name=footage.name, url=(folder / footage.name).as_uri())
        for id, footage in (("ra", A), ("rb", B))
    )
    path = folder / "other.fcpxml"
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE fcpxml><fcpxml version="1.11"><resources>'
        f'<format id="r1" frameDuration="100/2500s" width="160" height="96"/>{assets}{resources}'
        '</resources><library><event name="e"><project name="p"><sequence format="r1" '
        f'tcStart="0s" audioRate="48k"><spine>{spine}</spine></sequence></project></event>'
        "</library></fcpxml>",
        "utf-8",
    )
    return path


NEXT = '<asset-clip ref="rb" name="B" offset="1s" start="50/25s" duration="1s"/>'


def test_a_trimmed_sync_clip_with_a_storyline_of_its_own(tmp_path: Path) -> None:
    """The storyline counts from the clip's 0; the clip's start says where in it it begins."""
    make_desk(tmp_path)
    sync = """
    <sync-clip offset="0s" name="Take" start="20/25s" duration="1s"><spine>
      <gap offset="0s" start="3600s" duration="10/25s">
        <asset-clip ref="rb" lane="-1" offset="3600s" name="B" duration="3s" srcEnable="audio"/>
      </gap>
      <asset-clip ref="ra" offset="10/25s" name="A" duration="3s"/></spine>
      <sync-source sourceID="storyline">
        <audio-role-source role="dialogue.dialogue-1" active="0"/></sync-source></sync-clip>
    """
    film = film_of(story(tmp_path, sync + NEXT))
    assert film.numbers == a(10, 34) + b(50, 74)
    assert film.plays(B, range(20, 45), 0)
    assert not film.plays(A, range(10, 35), 0)
    assert film.plays(B, range(50, 75), 25)
    assert film.notes == ("the sound of 'A' is left out: its role 'dialogue' is switched off",)


def test_the_time_of_a_clip_may_begin_at_a_timecode(tmp_path: Path) -> None:
    make_desk(tmp_path)
    sync = """
    <sync-clip offset="0s" name="Take" tcStart="3600s" start="90020/25s" duration="1s"><spine>
      <asset-clip ref="ra" name="A" duration="3s"/></spine></sync-clip>
    """
    assert film_of(story(tmp_path, sync + NEXT)).numbers == a(20, 44) + b(50, 74)


@pytest.mark.parametrize("inner", ["{}", "<spine>{}</spine>"])
def test_a_clip_trims_the_sound_that_hangs_inside_it(tmp_path: Path, inner: str) -> None:
    make_desk(tmp_path)
    content = """<asset-clip ref="ra" name="A" offset="0s" duration="4s">
      <asset-clip ref="rb" name="B" lane="-1" offset="5/25s" duration="3s" srcEnable="audio"/>
    </asset-clip>"""
    film = film_of(
        story(
            tmp_path,
            '<sync-clip name="Take" offset="0s" start="20/25s" duration="1s">'
            f"{inner.format(content)}</sync-clip>{NEXT.replace('rb', 'ra')}",
        )
    )
    assert film.numbers == a(20, 44) + a(50, 74)
    assert film.plays(A, range(20, 45), 0)
    assert film.plays(B, range(15, 40), 0)
    assert not film.plays(B, range(40, 65), 25)


def test_what_hangs_on_a_sync_clip_is_not_trimmed_by_it(tmp_path: Path) -> None:
    make_desk(tmp_path)
    film = film_of(
        story(
            tmp_path,
            """<sync-clip name="Take" offset="0s" start="20/25s" duration="1s">
            <spine><asset-clip ref="ra" name="A" duration="4s"/></spine>
            <asset-clip ref="rb" name="B" lane="1" offset="30/25s" start="1s" duration="1s"/>
            </sync-clip><asset-clip ref="ra" name="A" offset="1s" start="2s" duration="1s"/>""",
        )
    )
    assert film.numbers == a(20, 29) + b(25, 49) + a(60, 74)


@pytest.mark.parametrize(
    ("sources", "heard"),
    [
        ('<sync-source sourceID="storyline">{off}</sync-source>', [B]),
        ('<sync-source sourceID="connected">{off}</sync-source>', [A]),
        ('<sync-source sourceID="storyline">{on}</sync-source>', [A, B]),
    ],
)
def test_roles_of_a_sync_clip(tmp_path: Path, sources: str, heard: list) -> None:
    make_desk(tmp_path)
    role = '<audio-role-source role="dialogue.dialogue-1" active="{}"/>'
    film = film_of(
        story(
            tmp_path,
            """<sync-clip name="Take" offset="0s" duration="1s">
            <asset-clip ref="ra" name="A" offset="0s" duration="1s" audioRole="dialogue"/>
            <asset-clip ref="rb" name="B" lane="-1" offset="0s" duration="1s" srcEnable="audio"
              audioRole="dialogue"/>"""
            + sources.format(off=role.format(0), on=role.format(1))
            + "</sync-clip>",
        )
    )
    assert film.numbers == a(0, 24)
    for footage in (A, B):
        assert film.plays(footage, range(0, 25), 0) is (footage in heard)
    assert len(film.notes) == 2 - len(heard)


def test_roles_of_a_compound_clip(tmp_path: Path) -> None:
    make_desk(tmp_path)
    compound = """<media id="r7" name="In"><sequence format="r1"><spine>
      <asset-clip ref="ra" name="A" duration="2s" audioRole="music">
        <asset-clip ref="rb" name="B" lane="-1" offset="0s" duration="2s" srcEnable="audio"/>
      </asset-clip></spine></sequence></media>"""
    film = film_of(
        story(
            tmp_path,
            '<ref-clip ref="r7" name="In" offset="0s" start="5/25s" duration="1s">'
            '<audio-role-source role="music" enabled="0"/></ref-clip>',
            resources=compound,
        )
    )
    assert film.numbers == a(5, 29)
    assert film.plays(B, range(5, 30), 0)
    assert not film.plays(A, range(5, 30), 0)


def test_multicam_clips_show_one_angle_and_play_another(tmp_path: Path) -> None:
    make_desk(tmp_path)
    film = film_of(
        story(
            tmp_path,
            """<mc-clip ref="r5" name="Stage" offset="0s" start="90020/25s" duration="1s">
              <mc-source angleID="BBB" srcEnable="video"/>
              <mc-source angleID="AAA" srcEnable="audio"/></mc-clip>
            <mc-clip ref="r5" name="Stage" offset="1s" start="90045/25s" duration="1s">
              <mc-source angleID="AAA" srcEnable="all"/>
              <mc-source angleID="BBB" srcEnable="none"/></mc-clip>
            <mc-clip ref="r5" name="Stage" offset="2s" start="90030/25s" duration="1s">
              <mc-source angleID="BBB" srcEnable="all">
                <audio-role-source role="dialogue.dialogue-1" active="0"/></mc-source></mc-clip>""",
            resources=ANGLES,
        )
    )
    assert film.numbers == b(20, 44) + a(35, 59) + b(30, 54)
    assert film.plays(A, range(10, 35), 0)
    assert film.plays(A, range(35, 60), 25)
    assert not film.plays(B, range(30, 55), 50)
    assert film.notes[0] == "the multicam clip 'Stage' is laid out in place"


def test_a_split_edit_of_a_clip_that_holds_clips(tmp_path: Path) -> None:
    make_desk(tmp_path)
    film = film_of(
        story(
            tmp_path,
            '<asset-clip ref="rb" name="B" offset="0s" duration="1s" srcEnable="video"/>'
            '<sync-clip name="Take" offset="1s" start="1s" duration="1s" audioStart="15/25s" '
            'audioDuration="35/25s"><spine><asset-clip ref="ra" name="A" duration="4s"/></spine>'
            "</sync-clip>",
        )
    )
    assert film.numbers == b(0, 24) + a(25, 49)
    assert film.plays(A, range(15, 50), 15)


def test_speed_of_a_clip_that_holds_clips(tmp_path: Path) -> None:
    make_desk(tmp_path)
    held = '<spine><asset-clip ref="ra" name="A" duration="4s"/></spine>'
    fast = '<timeMap><timept time="0s" value="0s"/><timept time="2s" value="4s"/></timeMap>'
    back = '<timeMap><timept time="0s" value="4s"/><timept time="4s" value="0s"/></timeMap>'
    film = film_of(
        story(
            tmp_path,
            f'<sync-clip name="Fast" offset="0s" start="10/25s" duration="1s">{fast}{held}'
            f'</sync-clip><sync-clip name="Back" offset="1s" duration="1s">{back}{held}'
            f'</sync-clip><asset-clip ref="rb" name="B" offset="2s" duration="1s"/>',
        )
    )
    assert film.numbers == a(20, 44) + black(25) + b(0, 24)
    assert film.notes == (
        "'Fast' runs at 2 times the speed: it plays at normal speed from the same first frame, as "
        "long as it lay on the timeline",
        "'Back' plays backwards or stands still: left out, a gap stays",
    )


def test_a_muted_clip_is_said(tmp_path: Path) -> None:
    make_desk(tmp_path)
    film = film_of(
        story(
            tmp_path,
            '<asset-clip ref="ra" name="A" offset="0s" duration="1s"><mute start="0s" '
            'duration="1s"/></asset-clip>',
        )
    )
    assert film.notes == ("effects are left out: mute",)


def test_what_is_switched_off_is_named(tmp_path: Path) -> None:
    make_desk(tmp_path)
    film = film_of(
        story(
            tmp_path,
            '<asset-clip ref="ra" name="A" offset="0s" duration="1s"/>'
            '<sync-clip name="Take" offset="1s" duration="1s" enabled="0">'
            '<asset-clip ref="rb" name="B" offset="0s" duration="1s"/></sync-clip>'
            '<asset-clip ref="ra" name="A" offset="2s" duration="1s">'
            '<asset-clip ref="rb" name="song" lane="-1" offset="0s" duration="1s" '
            'srcEnable="audio" enabled="0"/></asset-clip>',
        )
    )
    assert film.numbers == a(0, 24) + black(25) + a(0, 24)
    assert film.notes == ("2 switched-off clips left out, gaps stay: 'B', 'song'",)


def test_the_reason_is_given_where_nothing_is_left(tmp_path: Path) -> None:
    make_desk(tmp_path)
    path = story(tmp_path, '<mc-clip ref="r9" name="Stage" offset="0s" duration="1s"/>')
    with pytest.raises(TimelineError, match=r"1 multicam clip without media left out.*'Stage'"):
        read_timeline(path)


def test_a_bundle_of_final_cut_pro(tmp_path: Path) -> None:
    make_desk(tmp_path)
    path = story(tmp_path, '<asset-clip ref="ra" name="A" start="10/25s" duration="1s"/>')
    bundle = tmp_path / "Film.fcpxmld"
    bundle.mkdir()
    path.rename(bundle / "Info.fcpxml")
    assert film_of(bundle).numbers == a(10, 34)
    (bundle / "Info.fcpxml").unlink()
    with pytest.raises(TimelineError, match=r"Info\.fcpxml"):
        read_timeline(bundle)
