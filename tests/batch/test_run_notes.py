"""Notes of many images, each kind once."""

from __future__ import annotations

from pellucid.batch.notes import counted


def test_notes_that_differ_by_numbers_and_files_are_one():
    rows = [
        {
            "input": [f"/a/n{k}-g.fits", f"/a/n{k}-mask.fits.gz"],
            "notes": [f"n{k}-mask.fits.gz: read as a mask", f"{k + 1}.5% are doubted"],
        }
        for k in range(3)
    ]
    rows.append({"input": ["x.fits"], "notes": ["7% are doubted", "the psf is from stars"]})
    rows.append({"input": ["y.fits"]})
    assert list(counted(rows).items()) == [
        ("1.5% are doubted", 4),
        ("n0-mask.fits.gz: read as a mask", 3),
        ("the psf is from stars", 1),
    ]
