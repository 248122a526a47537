// Where a pixel is on the sky, and in which directions north and east are. See sky_places.py.

const ARCSEC = Math.PI / (180 * 3600);

// [longitude, latitude] in degrees of a pixel, the first of which is 0.
function skyOf(wcs, x, y) {
  const [xi, eta] = plane(wcs, x, y);
  const [lon0, lat0] = wcs.place.map((angle) => (angle * Math.PI) / 180);
  const u = xi * ARCSEC;
  const v = eta * ARCSEC;
  const depth = Math.cos(lat0) - v * Math.sin(lat0);
  const longitude = lon0 + Math.atan2(u, depth);
  const latitude = Math.atan2(Math.sin(lat0) + v * Math.cos(lat0), Math.hypot(u, depth));
  return [((longitude * 180) / Math.PI + 360) % 360, (latitude * 180) / Math.PI];
}

// Arcsec east and north of the middle, on the plane that touches the sky there.
function plane(wcs, x, y) {
  const [x0, y0, half] = wcs.middle;
  const u = (x - x0) / half;
  const v = (y - y0) / half;
  let xi = 0;
  let eta = 0;
  wcs.powers.forEach(([i, j], k) => {
    const term = u ** i * v ** j;
    xi += wcs.xi[k] * term;
    eta += wcs.eta[k] * term;
  });
  return [xi, eta];
}

// Unit vectors (x, y) in pixels towards north and east in the middle of the image.
function directions(wcs) {
  const [x0, y0] = wcs.middle;
  const [[ax, ay], [bx, by]] = [plane(wcs, x0 + 0.5, y0), plane(wcs, x0 - 0.5, y0)];
  const [[cx, cy], [dx, dy]] = [plane(wcs, x0, y0 + 0.5), plane(wcs, x0, y0 - 0.5)];
  const [xiX, etaX, xiY, etaY] = [ax - bx, ay - by, cx - dx, cy - dy];
  const size = xiX * etaY - xiY * etaX;
  const unit = (x, y) => [x / Math.hypot(x, y), y / Math.hypot(x, y)];
  return { north: unit(-xiY / size, xiX / size), east: unit(etaY / size, -etaX / size) };
}

function sexagesimal(degrees, hours, digits) {
  const scale = 10 ** digits;
  const sign = degrees < 0 ? "−" : hours ? "" : "+";
  let rest = Math.round((Math.abs(degrees) / (hours ? 15 : 1)) * 3600 * scale);
  const seconds = (rest % (60 * scale)) / scale;
  rest = Math.floor(rest / (60 * scale));
  const two = (value, wide) => value.toFixed(wide).padStart(wide ? wide + 3 : 2, "0");
  const whole = two(hours ? Math.floor(rest / 60) % 24 : Math.floor(rest / 60), 0);
  return `${sign}${whole}:${two(rest % 60, 0)}:${two(seconds, digits)}`;
}

// Both coordinates as text: sexagesimal where they are equatorial, and in degrees.
function placeText(wcs, x, y) {
  const [longitude, latitude] = skyOf(wcs, x, y);
  const degrees = `${longitude.toFixed(6)}° ${latitude < 0 ? "−" : "+"}${Math.abs(latitude).toFixed(6)}°`;
  if (wcs.names[0] !== "RA") return [`${wcs.names.join(", ")} ${degrees}`, ""];
  return [`${sexagesimal(longitude, true, 3)}  ${sexagesimal(latitude, false, 2)}`, degrees];
}

// A length in arcsec, round in the unit in which it is written, at most so many pixels long.
function roundLength(scale, most) {
  const [size, mark] = [[3600, "°"], [60, "′"], [1, "″"]].find(([size]) => scale * most >= size) ?? [1, "″"];
  const longest = (scale * most) / size;
  const ten = 10 ** Math.floor(Math.log10(longest));
  const round = [5, 2, 1].map((k) => k * ten).find((value) => value <= longest) ?? ten;
  return [round * size, `${+round.toPrecision(3)}${mark}`];
}
