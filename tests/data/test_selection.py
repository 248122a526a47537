"""Which galaxies of a catalogue become pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from pellucid.data.mosaics.selection import Selection, read_selection, select_sources
from pellucid.errors import InputError


def sample(path: Path, rows: int = 400) -> Table:
    """A catalogue in which each cut of the paper takes some rows out."""
    rng = np.random.default_rng(3)
    table = Table(
        {
            "id": [f"g{k:03d}" for k in range(rows)],
            "RA": rng.uniform(149.5, 150.5, rows),
            "DEC": rng.uniform(1.7, 2.7, rows),
            "redshift": np.ma.masked_less(rng.uniform(-0.1, 1.2, rows), 0.0),
            "stellar_mass": 10 ** rng.uniform(8.0, 11.0, rows),
            "class": rng.choice(["Bulge+Disk", "pure-disk", "E", "merger", "star"], rows),
            "r90": rng.uniform(0.01, 0.02, rows),
        }
    )
    table["r90"].unit = "arcmin"
    table.write(path, overwrite=True)
    return table


def test_the_papers_selection_is_applied_row_by_row(tmp_path):
    table = sample(tmp_path / "c.ecsv")
    chosen = select_sources(tmp_path / "c.ecsv", read_selection("seeinggan"))
    good = (np.ma.filled(table["redshift"], 9.0) < 0.6) & (table["stellar_mass"] > 1e9)
    good &= table["class"] != "star"
    counts = [int((good & (table["class"] == name)).sum()) for name in set(table["class"])]
    smallest = min(count for count in counts if count)
    assert chosen.classes == dict.fromkeys(chosen.classes, smallest)
    assert len(chosen.classes) == 4
    assert {source.id for source in chosen.sources} <= set(table["id"][good])
    assert len(chosen.sources) + sum(chosen.excluded.values()) == chosen.rows == 400
    assert chosen.excluded["max_redshift"] == int(
        (np.ma.filled(table["redshift"], 9.0) >= 0.6).sum()
    )
    rows = {str(row["id"]): row for row in table}
    for source in chosen.sources:
        assert source.r90 == pytest.approx(60.0 * rows[source.id]["r90"])
        assert (source.ra, source.dec) == (rows[source.id]["RA"], rows[source.id]["DEC"])


def test_who_is_drawn_depends_on_the_seed_and_not_on_the_order_of_rows(tmp_path):
    table = sample(tmp_path / "c.ecsv")
    table[::-1].write(tmp_path / "reversed.ecsv")

    def ids(name: str, seed: int = 0) -> list[str]:
        selection = Selection(count=20, seed=seed)
        return [source.id for source in select_sources(tmp_path / name, selection).sources]

    assert ids("c.ecsv") == ids("reversed.ecsv")[::-1]
    assert len(ids("c.ecsv")) == 20
    assert ids("c.ecsv") != ids("c.ecsv", seed=1)


def test_masses_and_their_logarithms_are_told_apart(tmp_path):
    table = sample(tmp_path / "c.ecsv")
    chosen = select_sources(tmp_path / "c.ecsv", Selection())
    table["log_stellar_mass"] = np.log10(table["stellar_mass"])
    table.remove_column("stellar_mass")
    table.write(tmp_path / "log.ecsv")
    assert select_sources(tmp_path / "log.ecsv", Selection()).sources == chosen.sources


def test_a_catalogue_without_classes_does_where_balance_is_off_and_a_class_may_not_be_empty(
    tmp_path,
):
    table = sample(tmp_path / "c.ecsv")
    table[table["class"] != "E"].write(tmp_path / "few.ecsv")
    with pytest.raises(InputError, match="no object of class elliptical"):
        select_sources(tmp_path / "few.ecsv", Selection())
    table.remove_column("class")
    table.write(tmp_path / "plain.ecsv")
    with pytest.raises(InputError, match="has no column 'morphology' or 'class' or 'type';"):
        select_sources(tmp_path / "plain.ecsv", Selection())
    chosen = select_sources(tmp_path / "plain.ecsv", Selection(balance=False, count=None))
    assert "classes" not in chosen.excluded
    assert len(chosen.sources) > 50
    cosmos = select_sources(tmp_path / "plain.ecsv", read_selection("cosmos"))
    assert {source.r90 for source in cosmos.sources} == {None}
    everything = select_sources(tmp_path / "plain.ecsv", read_selection("all"))
    assert len(everything.sources) == 400
