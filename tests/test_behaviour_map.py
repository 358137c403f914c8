"""The map of behaviour: blobs that are apart become clusters, which are named, drawn and annotated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest

import recorder
from analysis import fig4
from analysis.behaviour_map import (
    EXACT_BELOW,
    PERPLEXITY,
    BehaviourMap,
    Hills,
    agreement,
    behaviour_map,
    confusion,
    detector_labels,
    embed,
    moments,
    names_of,
    read_names,
)
from analysis.cluster_annotations import annotate, bouts_of, check, name_ticks
from analysis.cluster_statistics import Estimate
from analysis.fig4_picture import Shown, picture
from analysis.figures import FIGURES
from analysis.learned import fit
from analysis.movement_sharing import MovementSharing
from analysis.report.stage import identity_of
from analysis.umap_clusters import as_labels, dense_clusters
from recorder.annotation_file import read_annotations, write_annotations
from recorder.annotation_lock import changing
from recorder.annotations import Annotation, Annotations, Channel, annotations_path
from rig.errors import UserError
from stim.detectors.learned import load
from tests.planted_recordings import SETTLING, tap_session, write
from tests.rodent_rig import rodent_rig_here
from tests.test_paper_check import episode

SVG = "{http://www.w3.org/2000/svg}"
LENGTHS = (100, 80)
Blobs = tuple[BehaviourMap, np.ndarray, list[np.ndarray]]


@pytest.fixture(scope="module")
def blobs() -> Blobs:
    """A map of four blobs in 60 dimensions, of two episodes; which blob each moment is from; features."""
    rng = np.random.default_rng(0)
    kinds = [np.repeat(np.arange(4), n // 4) for n in LENGTHS]
    centres = 5 * rng.normal(size=(4, 60))
    features = [centres[each] + rng.normal(size=(len(each), 60)) for each in kinds]
    return behaviour_map(features), np.concatenate(kinds), features


def named_by_kind(blobs: Blobs, *kinds: int) -> dict[int, str]:
    """The clusters of these blobs, named after them."""
    found, kind_of, _ = blobs
    of = {k: int(kind_of[found.centres[k]]) for k in range(len(found.centres))}
    return {cluster: f"kind {kind}" for cluster, kind in of.items() if kind in kinds}


def test_blobs_are_clusters(blobs: Blobs) -> None:
    found, kinds, _ = blobs
    assert (found.clusters >= 0).mean() > 0.95
    for cluster in range(len(found.centres)):
        assert len(set(kinds[found.clusters == cluster])) == 1
    sizes = np.bincount(found.clusters[found.clusters >= 0])
    assert (np.diff(sizes) <= 0).all()
    assert agreement(found.clusters, kinds.astype(str)) > 0.6
    turned = np.random.default_rng(0).permutation(kinds)
    assert abs(agreement(found.clusters, turned.astype(str))) < 0.1
    assert (found.clusters[found.centres] == np.arange(len(found.centres))).all()
    assert (found.hills.of(found.points) == found.clusters).all()


def test_names_stay_with_moments(blobs: Blobs, tmp_path: Path) -> None:
    found, _, _ = blobs
    episodes = [
        replace(episode("gaps", k, np.zeros((n, 2))), recording=Path(f"{k}.nwb"))
        for k, n in enumerate(LENGTHS)
    ]
    path = tmp_path / "map-names.csv"
    fig4._write_names(path, found, episodes)
    rows = path.read_text().splitlines()
    assert len(rows) == 1 + len(found.centres)
    assert read_names(path)[0][2] == ""
    path.write_text("\n".join([rows[0], rows[2] + "leap", *rows[3:]]))
    assert names_of(found, episodes, read_names(path)) == {1: "leap"}
    # a report draws the map anew when names were given, and not because there is a list for them
    out = tmp_path / "map.png"
    given = FIGURES["fig4"].given
    assert given is not None
    assert "leap" in given(out)
    assert identity_of("fig4", (), given(out)) != identity_of("fig4", ())
    path.write_text("\n".join(rows))
    assert identity_of("fig4", (), given(out)) == identity_of("fig4", ())
    elsewhere = [("other.nwb", 0.0, "leap"), ("0.nwb", 99.0, "leap")]
    assert names_of(found, episodes, elsewhere) == {}
    path.write_text("cluster,name\n1,leap\n")
    with pytest.raises(UserError, match="is not a file of names of clusters"):
        read_names(path)


def test_the_rarest_of_several_behaviours_is_the_label() -> None:
    one = episode("gaps", 0, np.zeros((6, 2)))
    one.behaviours.update(  # type: ignore[attr-defined]
        run=np.array([1, 1, 1, 1, 0, 0], bool), leap=np.array([0, 1, 0, 0, 0, 0], bool)
    )
    (labels,) = detector_labels([one])
    assert labels.tolist() == ["run", "leap", "run", "run", "none", "none"]
    shares, names = confusion(np.array([0, 0, 0, 1, 1, -1]), labels)
    assert names == ("run", "leap", "none")
    np.testing.assert_allclose(shares, [[2 / 3, 1 / 3, 0], [0.5, 0, 0.5]])


@pytest.mark.parametrize("n", [200, EXACT_BELOW + 1])
def test_neighbours_are_those_that_opentsne_would_choose(
    n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its looking for pynndescent, whose import compiles."""
    from openTSNE import TSNE, affinity

    features = np.random.default_rng(0).normal(np.arange(n)[:, None] % 2 * 6, 1, (n, 10))
    monkeypatch.setattr(affinity, "is_package_installed", lambda name: pytest.fail(name))
    embedded = embed(features, 3)
    monkeypatch.setattr(affinity, "is_package_installed", lambda name: False)
    options = {"negative_gradient_method": "bh", "random_state": 3, "n_jobs": 1}
    chosen = TSNE(perplexity=PERPLEXITY, **options).fit(features)
    np.testing.assert_array_equal(embedded, chosen)


def test_moments_are_spread_evenly() -> None:
    whose, row = moments([1000, 500], 150)
    assert np.bincount(whose).tolist() == [100, 50]
    assert row[whose == 1].max() == 499
    assert [len(set(each)) for each in (row[whose == 0], row[whose == 1])] == [100, 50]


def test_what_a_map_cannot_be_made_of_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="needs more than 90 moments, and there are 50; record more"
    ):
        behaviour_map([np.zeros((50, 60))])
    (file := tmp_path / "a.nwb").write_bytes(b"")
    done = rodent_rig_here("figure", "fig9", file, "--clips", "--out", tmp_path / "a.png")
    assert done.returncode == 2
    assert done.stderr.strip() == "--clips: fig9 has no clips; fig4 has."


def test_a_recording_of_another_animal_is_one_sentence(tmp_path: Path) -> None:
    file = tap_session(tmp_path / "a.nwb", 0, n_ticks=320)
    for name in ("fig4", "fig5"):
        done = rodent_rig_here("figure", name, file, "--out", tmp_path / "a.png")
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
        assert "a.nwb has no angle of hip_L_extend" in done.stderr
        assert sorted(each.name for each in tmp_path.iterdir()) == ["a.nwb"]


def test_outside_of_hills_is_no_cluster() -> None:
    labels = np.full((200, 200), -1)
    labels[:, 100:] = 3
    hills = Hills(np.ones((200, 200)), labels, np.array([-1.0, -1.0]), 2.0)
    assert hills.of(np.array([[-0.5, 0.0], [0.5, 0.9], [9.0, 9.0]])).tolist() == [-1, 3, 3]


# --- the other way ----------------------------------------------------------------------------------


def test_what_is_dense_is_a_cluster_and_what_is_not_is_left_out(blobs: Blobs) -> None:
    rng = np.random.default_rng(1)
    sizes, spreads = (200, 120, 60), (0.3, 1.0, 0.1)
    at = np.array([[0, 0], [20, 0], [0, 20]])
    parts = [at[k] + spreads[k] * rng.normal(size=(sizes[k], 2)) for k in range(3)]
    lonely = np.array([[40, 40], [-30, 10], [10, -30], [40, -20], [-30, 40]])
    found = dense_clusters(np.vstack([*parts, lonely]))
    truth = np.repeat(np.arange(3), sizes)
    assert found.max() == 2
    assert (found[:-5] == truth).mean() > 0.97
    assert (found[-5:] == -1).all()
    assert as_labels(np.array([1, -1, 0])).tolist() == ["1", "none", "0"]
    # in the plane of a map of blobs it finds these, as the map does
    mapped, kinds, _ = blobs
    other = dense_clusters(mapped.points)
    assert all(len(set(kinds[other == k])) == 1 for k in range(other.max() + 1))
    assert agreement(mapped.clusters, as_labels(other)) > 0.6


# --- the picture ------------------------------------------------------------------------------------


def test_the_picture_shows_what_was_found_with_units_and_n(blobs: Blobs, tmp_path: Path) -> None:
    found, kinds, features = blobs
    episodes = [
        episode(task, 0, np.zeros((n, 2)))
        for task, n in zip(("gaps", "two_tap"), LENGTHS, strict=True)
    ]
    names = {k: f"movement_{k}" for k in range(len(found.centres))}
    shares, behaviours = confusion(
        found.clusters, np.array(["run", "rear_up", "tap", "none"])[kinds]
    )
    agree = Estimate(0.71, 0.65, 0.77, 7)
    planes = {name: [part[:, :2] for part in features] for name in ("forces", "fast", "slow")}
    sharing = MovementSharing(planes, {}, {"fast": 0.37}, {}, {}, (0, 0, 0), ())
    shown = Shown(found, episodes, names, shares, behaviours, agree, sharing)
    picture(shown, out := tmp_path / "map.svg")
    words = ["".join(each.itertext()) for each in ElementTree.parse(out).iter(f"{SVG}text")]
    for wanted, times in {
        f"A  {len(names)} clusters on the density of {sum(LENGTHS)} moments": 1,
        "B  tasks, in the colours of C": 1,
        **dict.fromkeys(("t-SNE 1 (no unit)", "t-SNE 2 (no unit)"), 2),
        **{f"movement {k}": 1 for k in names},
        "C  occupancy by task (bars on each other)": 1,
        "cluster": 2,
        "part of each task's time": 1,
        "gaps run, n = 1": 1,
        "two-tap, n = 1": 1,
        "D  detectors in clusters; AMI 0.71 (0.65 to 0.77)": 1,
        "part of the cluster's time": 1,
        **dict.fromkeys(("run", "rear up", "tap", "none"), 1),
        "E  forces": 1,
        "F  kinematics, fast; overlap 0.37": 1,
        **dict.fromkeys(("component 1 (s.d.)", "component 2 (s.d.)"), 3),
    }.items():
        assert words.count(wanted) == times, wanted
    # a hill of every cluster is outlined, and the outlines are the map's
    assert set(np.unique(found.hills.labels)) - {-1} == set(names)


# --- named clusters as annotations ------------------------------------------------------------------


def test_ticks_have_the_name_of_their_movement(blobs: Blobs) -> None:
    found, kinds, features = blobs
    named, agreeing = name_ticks(found, named_by_kind(blobs, 0, 1, 2), features, 50.0)
    wanted = np.where(kinds == 3, "", np.char.add("kind ", kinds.astype(str)))
    assert [len(each) for each in named] == list(LENGTHS)
    assert np.mean(np.concatenate(named) == wanted) > 0.95
    # clusters of one name are one behaviour, and a bout does not fall to pieces
    assert [name for _, _, name in bouts_of(named[0])] == ["kind 0", "kind 1", "kind 2"]
    assert agreeing > 0.95


def test_a_named_cluster_is_learned_as_a_detector(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 320
    episodes, named = [], []
    for seed, upright in enumerate(([(60, 120), (150, 210), (240, 300)], [])):
        up = np.zeros(n, bool)
        for first, after in upright:
            up[first:after] = True
        body = {
            name: np.where(up, value, 0.0) + 0.02 * rng.normal(size=n)
            for name, value in (("pitch", 0.9), ("head_height", 0.15))
        }
        file = write(tmp_path / f"{seed}.nwb", "gaps", seed, np.zeros((n, 32)), body=body)
        one = episode("gaps", seed, np.zeros((n - SETTLING, 2)))
        episodes.append(replace(one, recording=file, first_tick=SETTLING))
        named.append(np.where(up, "sits up", "run")[SETTLING:])
    beside = annotations_path(episodes[0].recording)
    with recorder.open(episodes[0].recording) as opened:
        session, described = opened.session, opened.description
    jane = Annotation(5, 9, "jane", "groom", "Jane")
    content = Annotations(
        session, ("0.nwb",), 0, n - 1, rows=(jane,), channels=(Channel("jane", "#fff"),)
    )
    write_annotations(beside, content, described)

    check(episodes[0].recording)
    assert annotate(episodes, named) == (beside, tmp_path / "1.annotations.nwb")
    check(episodes[0].recording)
    annotate(episodes[:1], named[:1])  # in the place of what was written before
    found = read_annotations(beside)
    assert found.bouts("map", "sits up").tolist() == [[60, 120], [150, 210], [240, 300]]
    assert [each for each in found.rows if each.channel != "map"] == [jane]
    assert [each.name for each in found.channels] == ["jane", "map"]
    assert found.labels("map") == ("sits up", "run")  # the longest first

    options = ("--behaviour", "sits up", "--channel", "map", "--out", tmp_path / "up.npz")
    done = rodent_rig_here("learn", tmp_path, "--intervals", tmp_path, *options)
    assert done.returncode == 0, done.stderr
    words = next(line for line in done.stdout.splitlines() if line.startswith("sits up"))
    assert float(words.split("F1 ")[1].split()[0]) > 0.8  # its window is ten ticks long
    assert f"{{my_sits_up: {{learned: {tmp_path / 'up.npz'}, class: sits up}}}}" in done.stdout
    assert load(tmp_path / "up.npz").classes == ("rest", "sits up")

    both = [each.recording for each in episodes]
    with pytest.raises(UserError, match=r"Nobody annotated .*1\.nwb: all of it would be learned"):
        fit(both, tmp_path / "no.npz", "sits up", intervals=[beside], channel="map")

    with changing(beside), pytest.raises(UserError, match="is being changed in a window"):
        check(episodes[0].recording)
    own = Annotation(305, 310, "map", "run", "Jane")
    write_annotations(beside, msgspec.structs.replace(found, rows=(*found.rows, own)), described)
    with pytest.raises(UserError, match="bouts by Jane, which would be lost"):
        check(episodes[0].recording)


def test_what_cannot_be_annotated_is_a_sentence(tmp_path: Path) -> None:
    (file := tmp_path / "a.nwb").write_bytes(b"")
    out = ("--annotate", "--out", tmp_path / "a.png")
    done = rodent_rig_here("figure", "fig4", file, *out)
    assert done.returncode == 2
    assert f"No cluster has a name in {tmp_path / 'a-names.csv'}" in done.stderr
    done = rodent_rig_here("figure", "fig9", file, *out)
    assert done.stderr.strip() == "--annotate: fig9 has nothing to annotate; fig4 has."
    assert [each.name for each in tmp_path.iterdir()] == ["a.nwb"]
    done = rodent_rig_here(
        *("learn", file, "--behaviour", "run", "--intervals", tmp_path, "--out", tmp_path / "a.npz")
    )
    assert done.returncode == 2
    assert "there are no annotations (F.annotations.nwb) in this folder" in done.stderr
