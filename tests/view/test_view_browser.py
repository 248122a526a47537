"""The page in a real browser: it draws, it reads right, and nothing leaves it."""

from __future__ import annotations

import io
import itertools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image
from test_view_page import made_subject

from pellucid.view import COARSE, Subject, subject_of_file, told, write_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not on PATH"
)
SIZE = (1200, 900)


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    assert CHROMIUM is not None
    options.binary_location = CHROMIUM
    for word in ("headless=new", "no-sandbox", "disable-gpu", "force-device-scale-factor=1"):
        options.add_argument(f"--{word}")
    options.add_argument(f"--window-size={SIZE[0]},{SIZE[1]}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_script_timeout(20)
    yield driver
    driver.quit()


class Page:
    """A page that is open, and what a person does with it."""

    def __init__(self, driver, path: Path) -> None:
        self.driver = driver
        driver.get_log("performance")
        driver.get_log("browser")
        driver.get(path.as_uri())
        self.wait("return !document.getElementById('viewer').hidden && view !== null "
                  "|| !document.getElementById('gallery').hidden")  # fmt: skip
        self.settled()

    def wait(self, script: str) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 20).until(lambda driver: driver.execute_script(script))

    def settled(self) -> None:
        """Until two frames were drawn."""
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done));"
        )

    def run(self, script: str):
        found = self.driver.execute_script(script)
        self.settled()
        return found

    def element(self, name: str):
        return self.driver.find_element("id", name)

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()
        self.settled()

    def stage(self) -> np.ndarray:
        """The pixels of the canvas, shape (y, x, colour)."""
        with Image.open(io.BytesIO(self.element("sky").screenshot_as_png)) as opened:
            return np.asarray(opened.convert("RGB")).copy()

    def point(self, x: int, y: int) -> None:
        """Move the pointer to the middle of a pixel of the restoration, the first of which is 0."""
        from selenium.webdriver.common.action_chains import ActionChains

        canvas = self.element("sky")
        dx, dy = self.run(f"return [({x} - view.x) * view.zoom, -({y} - view.y) * view.zoom]")
        move = ActionChains(self.driver).move_to_element_with_offset(canvas, round(dx), round(dy))
        move.perform()
        self.settled()

    def values(self) -> dict[str, list[str]]:
        rows = self.driver.find_elements("css selector", "#values tr")
        cells = [[c.text for c in row.find_elements("css selector", "th, td")] for row in rows]
        return {row[0]: row[1:] for row in cells}

    def check_quiet(self) -> None:
        """No fault was told, and nothing was asked of the outside."""
        errors = [entry for entry in self.driver.get_log("browser") if entry["level"] != "INFO"]
        assert errors == []
        assert not self.element("fault").is_displayed()
        asked = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.add(message["params"]["request"]["url"].split(":")[0])
        assert asked <= {"file", "data", "blob"}


@pytest.fixture(scope="module")
def seen(restored_pair, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    return write_page([told(subject_of_file(restored_pair[1]))], "seen", path)


@pytest.fixture
def opened(browser, seen) -> Page:
    return Page(browser, seen)


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def test_the_page_opens_and_asks_nothing_of_anyone(opened):
    assert opened.stage().std() > 5
    assert opened.element("name").text == "restored.fits"
    assert "restoration, not a measurement" in opened.element("sub").text
    opened.check_quiet()


def test_the_readout_is_right_to_the_pixel_and_a_hundredth_of_an_arcsec(opened, restored_pair):
    given, restored = restored_pair
    with fits.open(restored) as hdus, fits.open(given) as before:
        planes = {hdu.header["EXTNAME"].strip(): hdu for hdu in hdus[1:4]}
        wcs = WCS(planes["R"].header)
        sigma = [hdu.data for hdu in hdus if hdu.name == "UNCERT"][1]
        flux, input_flux = planes["R"].data, before["r"].data
    opened.run("setBand(1)")
    ratio = flux.shape[0] / input_flux.shape[0]
    for x, y in [(40, 33), (21, 12), (64, 45)]:
        opened.point(x, y)
        assert opened.element("pixel").text.startswith(f"pixel {x + 1}, {y + 1} ")
        lon, lat = (float(each) for each in wcs.all_pix2world([[x, y]], 0)[0])
        hours, minutes, seconds, degrees, arcmin, arcsec = (
            float(each) for each in re.findall(r"[\d.]+", opened.element("place").text)
        )
        found = 15 * (hours + minutes / 60 + seconds / 3600), degrees + arcmin / 60 + arcsec / 3600
        assert abs(found[0] - lon) * np.cos(np.radians(lat)) * 3600 < 0.01
        assert abs(found[1] - lat) * 3600 < 0.01
        values = opened.values()
        noise = float(sigma[y, x])
        assert number(values["Restored"][0]) == pytest.approx(flux[y, x], abs=noise / 16, rel=1e-3)
        assert number(values["± 1 σ"][0]) == pytest.approx(noise, rel=0.02)
        row, column = round((y + 0.5) / ratio - 0.5), round((x + 0.5) / ratio - 0.5)
        shown = next(value for name, value in values.items() if name.startswith("Input"))
        assert number(shown[0]) == pytest.approx(input_flux[row, column], abs=0.03, rel=1e-3)
    opened.check_quiet()


def test_the_slider_moves_by_mouse_and_by_keyboard(opened):
    from selenium.webdriver.common.action_chains import ActionChains

    before = opened.stage()
    wide = opened.run("return stageSize()[0]")
    canvas = opened.element("sky")
    drag = ActionChains(opened.driver).move_to_element_with_offset(canvas, 0, 60).click_and_hold()
    drag.move_by_offset(round(-wide / 4), 0).release().perform()
    opened.settled()
    assert opened.run("return view.split") == pytest.approx(0.25, abs=0.01)
    moved = opened.stage()
    assert (moved != before).mean() > 0.02
    # What is left of it was the input before and is the input now.
    edge = round(0.2 * wide)
    assert (moved[60:-60, :edge] == before[60:-60, :edge]).all()
    opened.press("]")
    assert opened.run("return view.split") == pytest.approx(0.30, abs=0.01)
    opened.run("$('split').value = '0'; $('split').dispatchEvent(new Event('input'))")
    assert opened.run("return view.split") == 0
    opened.check_quiet()


def test_the_stretch_changes_pixels_and_no_values(opened):
    shown = {}
    for key in "123":
        opened.press(key)
        shown[key] = opened.stage().astype(float)
    assert len({round(each.mean(), 3) for each in shown.values()}) == 3
    white = opened.element("white")
    white.clear()
    white.send_keys("10")
    opened.settled()
    brighter = opened.stage().astype(float)
    assert brighter.mean() > shown["3"].mean() + 1
    opened.run("$('auto').click()")
    assert np.array_equal(opened.stage(), shown["3"].astype(np.uint8))
    opened.check_quiet()


def test_blink_panels_marks_and_bands_are_drawn(browser, tmp_path):
    subject = told(made_subject(64))
    opened = Page(browser, write_page([subject], "all", tmp_path / "all.html"))
    states = [opened.stage()]
    for key in ("b", "a", "m", "m", "m", "c", "i"):
        opened.press(key)
        states.append(opened.stage())
    for before, after in itertools.pairwise(states):
        assert (before != after).any()
    opened.check_quiet()


def test_zoom_keeps_the_place_under_the_pointer(opened):
    opened.point(20, 15)
    before = opened.run("return [view.cursor, view.zoom]")
    opened.run(
        "const box = $('sky').getBoundingClientRect();"
        "const [left, top] = toScreen(view, partsOf(view, ...stageSize())[0].rect, 20, 15);"
        "$('sky').dispatchEvent(new WheelEvent('wheel', {deltaY: -400, clientX: box.left + left, "
        "clientY: box.top + top, cancelable: true}));"
    )
    opened.point(20, 15)
    cursor, zoom = opened.run("return [view.cursor, view.zoom]")
    assert zoom > before[1] * 1.5
    assert cursor == before[0]
    opened.press("0")
    assert opened.run("return view.zoom") == pytest.approx(before[1])


def test_a_cut_is_drawn_by_hand_and_ends(opened):
    from selenium.webdriver.common.action_chains import ActionChains

    opened.press("x")
    canvas = opened.element("sky")
    line = ActionChains(opened.driver).move_to_element_with_offset(canvas, -150, 40)
    line.click_and_hold().move_by_offset(200, -90).release().perform()
    opened.settled()
    assert opened.element("plot-name").text == "Cut from A to B"
    (x1, y1), (x2, y2) = opened.run("return view.line")
    zoom = opened.run("return view.zoom")
    assert (x2 - x1) * zoom == pytest.approx(200, abs=2)
    assert (y2 - y1) * zoom == pytest.approx(90, abs=2)
    from selenium.webdriver.common.keys import Keys

    opened.press(Keys.ESCAPE)
    assert opened.element("plot-name").text == "Radial profile"
    opened.check_quiet()


def test_a_cut_is_drawn_by_keys_too(opened):
    from selenium.webdriver.common.keys import Keys

    right, up = Keys.ARROW_RIGHT, Keys.ARROW_UP
    start = opened.run("return view.centre")
    opened.press(right, Keys.ENTER)
    assert opened.run("return view.centre") == [start[0] + 1, start[1]]
    opened.press("x", Keys.ENTER, right, right, right, up, Keys.ENTER)
    (x1, y1), (x2, y2) = opened.run("return view.line")
    assert (x2 - x1, y2 - y1) == (3, 1)
    assert opened.run("return cutProfile(view, 1).x.length") == 5
    opened.press("s", " ")
    assert opened.run("return [view.first, view.second]") == ["restored", "input"]
    opened.press("b", " ")
    assert opened.run("return view.paused") is True
    opened.check_quiet()


def test_a_profile_is_the_mean_of_rings(opened, restored_pair):
    with fits.open(restored_pair[1]) as hdus:
        flux = hdus["r"].data
    found = opened.run("view.centre = [40, 30]; return radialProfile(view, 1).lines.restored")
    y, x = np.indices(flux.shape)
    ring = np.floor(np.hypot(x - 40, y - 30) + 0.5)
    for r in (0, 3, 12):
        assert found[r] == pytest.approx(flux[ring == r].mean(), rel=2e-3, abs=0.02)


@pytest.mark.parametrize("width", [360, 900, 1600])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(browser, seen, width, theme):
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": theme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    try:
        opened = Page(browser, seen)
        assert opened.run("return document.documentElement.scrollWidth") <= width
        assert opened.run("return $('sky').clientWidth") > 0.5 * width
        paper = opened.run("return getComputedStyle(document.body).backgroundColor")
        grey = int(re.findall(r"\d+", paper)[0])
        assert grey < 60 if theme == "dark" else grey > 200
        opened.press("t")
        turned = opened.run("return getComputedStyle(document.body).backgroundColor")
        assert turned != paper
        opened.check_quiet()
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_what_was_seen_whole_is_so_in_a_smaller_window(browser, seen):
    def resized(height: int) -> float:
        size = {"width": 1000, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        told = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
        browser.execute_async_script(told)
        return opened.run("return view.zoom / fitting(view, ...stageSize())")

    opened = Page(browser, seen)
    try:
        assert resized(900) == pytest.approx(1.0)
        assert resized(500) == pytest.approx(1.0)
        opened.run("view.zoom *= 3")
        closer = opened.run("return view.zoom")
        resized(700)
        assert opened.run("return view.zoom") == closer
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_300_galaxies_open_scroll_and_lead_to_one(browser, restored_pair, tmp_path):
    one = told(subject_of_file(restored_pair[1]), COARSE)
    names = [f"galaxy <b>{k:03d}</b>" for k in range(299)]
    subjects = [{**one, "name": n, "numbers": {"doubt": k / 299}} for k, n in enumerate(names)]
    subjects[0] |= {"numbers": {"doubt": 0, "chi2": 151}, "notes": ["warning: it does not explain"]}
    failed = {"name": "broken", "numbers": {}, "reason": "broken.fits: is cut off"}
    opened = Page(browser, write_page([*subjects, failed], "many", tmp_path / "many.html"))
    cards = opened.driver.find_elements("css selector", ".card")
    assert len(cards) == 300
    first = opened.run("return $('objects').firstChild.textContent")
    assert first == f"{names[0]}0.0 % doubted⚠ does not explain the image, χ² 151"
    opened.wait("return document.querySelectorAll('.thumb.drawn').length > 3")
    drawn = opened.run("return document.querySelectorAll('.thumb.drawn').length")
    assert drawn < 150, "what is far away is not drawn"
    opened.run("scrollTo(0, document.body.scrollHeight)")
    opened.wait("return [...document.querySelectorAll('.thumb')].some((t) => "
                "t.dataset.object === '1' && t.classList.contains('drawn'))")  # fmt: skip
    assert "is cut off" in opened.run("return $('objects').lastChild.textContent")
    opened.run("document.querySelector('[data-object=\"5\"]').closest('button').click()")
    opened.wait("return view !== null && !$('viewer').hidden")
    opened.settled()
    assert opened.element("name").text == names[5]
    opened.press("n")
    opened.wait(f"return $('name').textContent === '{names[4]}'")
    opened.run("$('back').click()")
    opened.run("document.querySelector('#layouts [value=table]').click()")
    rows = opened.driver.find_elements("css selector", ".objects tbody tr")
    assert len(rows) == 300
    opened.run("document.querySelectorAll('.objects th button')[0].click()")
    first = "return document.querySelector('.objects tbody .called').textContent"
    assert opened.run(first) == "brokenbroken.fits: is cut off"
    opened.run("$('words').value = '<b>007'; $('words').dispatchEvent(new Event('input'))")
    assert opened.run(first) == names[7]
    opened.check_quiet()


def test_an_image_that_is_no_restoration_opens_too(browser, restored_pair, tmp_path):
    subject = told(subject_of_file(restored_pair[0], name="x" * 300))
    opened = Page(browser, write_page([subject], "plain", tmp_path / "plain.html"))
    assert opened.stage().std() > 5
    assert not opened.element("modes").is_displayed()
    assert "not a restoration" in opened.element("sub").text
    assert opened.run("return document.documentElement.scrollWidth") <= SIZE[0]
    opened.check_quiet()


def test_planes_without_data_open_too_and_values_of_four_bands_are_told(browser, tmp_path):
    from pellucid.sky import SkyImage

    flux = np.stack([np.full((40, 30), value, "f4") for value in (np.nan, 1, 2, 3)])
    subject = told(Subject("empty", SkyImage(flux), restored=False))
    opened = Page(browser, write_page([subject], "empty", tmp_path / "empty.html"))
    opened.point(10, 10)
    assert opened.values()["Image"] == ["—", "1", "2", "3"]
    opened.check_quiet()


def test_a_truth_of_an_unknown_unit_is_drawn_as_bright(browser, restored_pair, tmp_path):
    from dataclasses import replace

    from pellucid.sky import SkyImage

    subject = subject_of_file(restored_pair[1])
    truth = SkyImage(7.0 + 40.0 * subject.image.flux[1], wcs=subject.image.wcs)
    data = told(replace(subject, truth=truth))
    opened = Page(browser, write_page([data], "true", tmp_path / "true.html"))
    opened.run("setBand(1); setMode('panels')")
    lines = opened.run("return radialProfile(view, 1).lines")
    np.testing.assert_allclose(lines["truth"][:8], lines["restored"][:8], rtol=0.05)
    opened.press("b")
    opened.point(30, 30)
    shown = number(opened.values()["Truth"][0])
    assert shown == pytest.approx(7 + 40 * subject.image.flux[1, 30, 30], rel=5e-3)
    opened.check_quiet()
