"""The part of an image that another one shows."""

from __future__ import annotations

import numpy as np

from pellucid.sky import SkyImage
from pellucid.view.sky_places import same_places


def part_of(wider: SkyImage, image: SkyImage) -> SkyImage | None:
    """What ``wider`` shows of the sky of ``image``: all of it, or a window where a WCS tells which.

    None where that is not known, or is not upright in its pixels. The sizes of the pixels may
    differ.
    """
    rows, columns = wider.shape[1:]
    height, width = image.shape[1:]
    if wider.wcs is None or image.wcs is None or not (wider.pixel_scale and image.pixel_scale):
        alike = abs(np.log(rows * width / (columns * height))) < 0.1
        return wider if alike else None
    ratio = image.pixel_scale / wider.pixel_scale
    across, up = max(1, round(width * ratio)), max(1, round(height * ratio))
    if abs(across - columns) <= 1 and abs(up - rows) <= 1:
        return wider
    ends = 0.5 / ratio - 0.5, (across - 0.5) / ratio - 0.5, (up - 0.5) / ratio - 0.5
    corners = np.array([[ends[0], ends[0]], [ends[1], ends[2]]])
    found = same_places(corners, image.wcs, wider.wcs)
    if found is None:
        return None
    first, last = found
    if np.abs(last - first - (across - 1, up - 1)).max() > 1:
        return None
    x, y = (round(float(value)) for value in first)
    if x < 0 or y < 0 or x + across > columns or y + up > rows:
        return None
    return wider.cutout(y, x, up, across)
