"""The map of behaviour: blobs that are apart become clusters, names stay with moments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis import fig4
from analysis.behaviour_map import (
    BehaviourMap,
    Hills,
    agreement,
    behaviour_map,
    confusion,
    detector_labels,
    moments,
    names_of,
    read_names,
)
from rig.errors import UserError
from tests.planted_recordings import tap_session
from tests.rodent_rig import rodent_rig_here
from tests.test_paper_check import episode


@pytest.fixture(scope="module")
def blobs() -> tuple[BehaviourMap, np.ndarray]:
    """A map of four blobs in 60 dimensions, of two episodes, and which blob each moment is from."""
    rng = np.random.default_rng(0)
    kinds = [np.tile(np.arange(4), 25), np.repeat(np.arange(4), 20)]
    centres = 5 * rng.normal(size=(4, 60))
    found = behaviour_map([centres[each] + rng.normal(size=(len(each), 60)) for each in kinds])
    return found, np.concatenate(kinds)


def test_blobs_are_clusters(blobs: tuple[BehaviourMap, np.ndarray]) -> None:
    found, kinds = blobs
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


def test_names_stay_with_moments(blobs: tuple[BehaviourMap, np.ndarray], tmp_path: Path) -> None:
    found, _ = blobs
    episodes = [episode("gaps", k, np.zeros((n, 2))) for k, n in enumerate((100, 80))]
    path = tmp_path / "map-names.csv"
    fig4._write_names(path, found, episodes)
    rows = path.read_text().splitlines()
    assert len(rows) == 1 + len(found.centres)
    assert read_names(path)[0][2] == ""
    path.write_text("\n".join([rows[0], rows[2] + "leap", *rows[3:]]))
    assert names_of(found, episodes, read_names(path)) == {1: "leap"}
    elsewhere = [("other.nwb", 0.0, "leap"), ("made.nwb", 99.0, "leap")]
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
