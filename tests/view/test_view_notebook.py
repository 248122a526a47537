"""Values draw themselves: as a page in a notebook, as a figure for a paper."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from astropy.visualization.wcsaxes import WCSAxes
from test_view_page import Tags, layer, subjects_in

import pellucid
from pellucid.errors import InputError, UsageError
from pellucid.sky import SkyImage


@pytest.fixture(scope="module")
def restored(restored_pair):
    image = pellucid.read_image(restored_pair[0])
    return image, pellucid.load_restorer()(image, psf=1.4)


def page_in(frame: str) -> str:
    (tag,) = Tags(frame).tags
    assert tag[0] == "iframe"
    assert tag[1]["sandbox"] == "allow-scripts"
    return tag[1]["srcdoc"]


def test_a_restoration_is_its_page_in_a_notebook(restored):
    _, result = restored
    (subject,) = subjects_in(page_in(result._repr_html_()))
    assert [each["key"] for each in subject["layers"]] == [
        "restored",
        "uncertainty",
        "range95",
        "doubt",
    ]
    assert dict(subject["facts"])["Restored by"].startswith("pellucid")
    assert subject["numbers"]["doubt"] == pytest.approx(result.provenance["doubted"])


def test_an_image_is_one_too_and_its_names_are_text(restored):
    image, _ = restored
    nasty = replace(image, bands=('"><script>', "</iframe>", "&amp;"), layout=None)
    (subject,) = subjects_in(page_in(nasty._repr_html_()))
    assert subject["bands"] == list(nasty.bands)
    assert not subject["restored"]


def test_the_input_is_no_truth(restored, tmp_path):
    image, result = restored
    with pytest.raises(InputError, match="is the input itself"):
        pellucid.write_view(result, tmp_path / "page.html", given=image, truth=image)


def test_a_page_of_a_result_has_what_was_restored_and_the_truth(restored, tmp_path):
    image, result = restored
    truth = result.image.with_flux(result.image.flux + 1)
    path = pellucid.write_view(result, tmp_path / "page.html", given=image, truth=truth)
    (subject,) = subjects_in(path.read_text(encoding="utf-8"))
    assert {"input", "again", "truth"} <= {each["key"] for each in subject["layers"]}
    assert layer(subject, "truth")["gain"] == [1.0, 1.0, 1.0]


def test_a_value_draws_itself_whoever_made_it():
    code = (
        "import numpy, sys; from pellucid.sky.image import SkyImage;"
        "text = SkyImage(numpy.ones((8, 8)))._repr_html_();"
        "sys.stdout.write(text[:14] + str('matplotlib' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "<iframe srcdocFalse"


def test_the_figure_has_a_panel_a_plane_on_the_sky(restored, tmp_path):
    image, result = restored
    figure = result.plot(image, result.image, "R")
    sky = [axes for axes in figure.axes if isinstance(axes, WCSAxes)]
    titles = [axes.get_title() for axes in sky]
    assert titles == [*("input", "restored", "truth", "residual / σ", "uncertainty / σ", "doubt")]
    maps = {axes.get_title(): axes.images[0].get_cmap().name for axes in sky}
    assert set(maps.values()) == {"gray", "cividis"}
    drawn = sky[1].images[0].get_array()
    assert drawn.shape == result.image.shape[1:]
    np.testing.assert_allclose(sky[2].images[0].get_array(), drawn)  # as bright as what it is of
    place = sky[1].wcs.all_pix2world([[3, 4]], 0)
    np.testing.assert_allclose(place, result.image.wcs.all_pix2world([[3, 4]], 0))
    figure.savefig(tmp_path / "paper.pdf")
    assert re.match(rb"%PDF", (tmp_path / "paper.pdf").read_bytes())


def test_a_figure_needs_no_wcs_and_no_uncertainty():
    image = SkyImage(np.random.default_rng(0).normal(5, 1, (1, 40, 50)), pixel_scale=0.4)
    result = pellucid.load_restorer(method="wiener")(image, psf=1.4)
    figure = result.plot(image)
    assert [axes.get_title() for axes in figure.axes][:2] == ["input", "restored"]


def test_a_band_that_is_not_there_is_refused(restored):
    with pytest.raises(UsageError, match="band 'Ks': the restoration has G, R, I"):
        restored[1].plot(band="Ks")


def test_the_frame_ends_where_it_ends(restored):
    frame = restored[1]._repr_html_()
    assert frame.count("<iframe") == frame.count("</iframe>") == 1
    assert html.unescape(page_in(frame)).startswith("<!doctype html>")
