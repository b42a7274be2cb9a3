"""Compute the area of each class from the true areas of the cells on the body, not from the areas in the map."""

from __future__ import annotations

from dataclasses import dataclass
from math import atanh, ceil, sqrt
from typing import Any, Final

import numpy as np

from ...data.geo import import_geo
from .parts import BLOCK

# Whether a part of a map is on the body is seen from so many of its points.
_PROBES: Final = 64

# The corners of about so many cells are converted to latitudes. In a larger image, a cell has several pixels.
_CELLS: Final = 2**22


@dataclass(frozen=True)
class Ellipsoid:
    """The shape of a body.

    Attributes:
        name: its name in the georeference
        major: the semi-major axis, in metres
        minor: the semi-minor axis, in metres
    """

    name: str
    major: float
    minor: float

    @property
    def squared_eccentricity(self) -> float:
        """Return e²."""
        return 1 - (self.minor / self.major) ** 2

    @property
    def authalic_radius(self) -> float:
        """Return the radius of the sphere with the same surface, in metres."""
        e = sqrt(self.squared_eccentricity)
        return self.major * sqrt((1 + (1 - e * e) * (atanh(e) / e if e else 1)) / 2)

    def authalic_latitude(self, latitude: np.ndarray) -> np.ndarray:
        """Return the latitudes, in radians, on the sphere with the same surface, so that all areas are equal.

        The series is equation 3-18 of Snyder, *Map Projections: A Working Manual* (1987). Its error is of the order
        of e⁸, 2e-8 for Mars.
        """
        e2 = self.squared_eccentricity
        e4, e6 = e2**2, e2**3
        authalic: np.ndarray = (
            latitude
            - (e2 / 3 + 31 * e4 / 180 + 59 * e6 / 560) * np.sin(2 * latitude)
            + (17 * e4 / 360 + 61 * e6 / 1260) * np.sin(4 * latitude)
            - (383 * e6 / 45360) * np.sin(6 * latitude)
        )
        return authalic


def ellipsoid_of(crs: Any) -> Ellipsoid | None:
    """Return the body's ellipsoid of a coordinate reference system of rasterio; None if it is not of a body."""
    system = crs.to_dict(projjson=True) if crs else {}
    while (
        nested := system.get("base_crs") or system.get("source_crs") or next(iter(system.get("components", ())), None)
    ):
        system = nested
    shape = (system.get("datum") or system.get("datum_ensemble") or {}).get("ellipsoid")
    if shape is None:
        return None
    major = _metres(shape.get("radius") or shape["semi_major_axis"])
    if "semi_minor_axis" in shape:
        minor = _metres(shape["semi_minor_axis"])
    else:
        minor = major * (1 - 1 / shape["inverse_flattening"]) if shape.get("inverse_flattening") else major
    return Ellipsoid(shape["name"], major, minor)


class CellAreas:
    """Compute the areas of the pixels of a map on the body.

    The corners of the cells are converted to longitude and latitude, these to a sphere with the same surface, and the
    area of a cell is that of its two triangles there. In an image of more than four million pixels, a cell has several,
    and each of them has its mean.

    Args:
        crs: the coordinate reference system, an object of rasterio
        transform: the six coefficients from columns and rows to coordinates, as rasterio has them
        shape: (H, W)
        ellipsoid: that of the coordinate reference system
    """

    def __init__(
        self,
        crs: Any,
        transform: Any,
        shape: tuple[int, ...],
        ellipsoid: Ellipsoid,
    ) -> None:
        self._coefficients = tuple(transform)[:6]
        self._shape = shape
        self._ellipsoid = ellipsoid
        self._crs = crs
        self._step = 1
        while self._step < BLOCK and shape[0] * shape[1] > _CELLS * self._step**2:
            self._step *= 2
        self._transform = import_geo("rasterio.warp").transform
        # In this order of axes on any system, and with latitudes that are not planetocentric.
        axes = f"+proj=longlat +a={ellipsoid.major!r} +b={ellipsoid.minor!r} +no_defs"
        self._degrees = import_geo("rasterio.crs").CRS.from_string(axes)

    def of_rows(self, top: int, bottom: int) -> np.ndarray:
        """Return the areas of the pixels in rows `top` to `bottom` in square metres, (h, W) float32.

        They are not finite where a cell is not on the body. `top` is a multiple of `BLOCK`.
        """
        rows, columns = self._ends(top, bottom), self._ends(0, self._shape[1])
        x, y = np.meshgrid(columns.astype(float), rows.astype(float))
        xx, xy, x0, yx, yy, y0 = self._coefficients
        points = self._on_sphere(xx * x + xy * y + x0, yx * x + yy * y + y0)
        a, b, c, d = points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]
        with np.errstate(invalid="ignore"):
            solid_angles = np.abs(_triangle(a, b, c) + _triangle(a, c, d))
        heights, widths = np.diff(rows), np.diff(columns)
        means = solid_angles * self._ellipsoid.authalic_radius**2 / np.outer(heights, widths)
        areas: np.ndarray = np.repeat(np.repeat(means.astype(np.float32), heights, axis=0), widths, axis=1)
        return areas

    def _ends(self, start: int, stop: int) -> np.ndarray:
        """Return the ends of the cells from `start` to `stop` along an axis."""
        return np.append(start + self._step * np.arange(ceil((stop - start) / self._step)), stop)

    def _on_sphere(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the unit vectors (…, 3) of coordinates in the map."""
        radians = np.radians(self._in_degrees(np.array([x.ravel(), y.ravel()])).reshape(2, *x.shape))
        radians[:, ~np.isfinite(radians).all(axis=0)] = np.nan
        east, north = radians[0], self._ellipsoid.authalic_latitude(radians[1])
        return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=-1)

    def _in_degrees(self, points: np.ndarray) -> np.ndarray:
        """Convert coordinates (2, n) to longitudes and latitudes (2, n); NaN where they are not on the body.

        The conversion fails as a whole if one point is not on the body. Then its halves are converted, and so on; a
        part is not on the body if none of some points spread over it is.
        """
        try:
            return np.array(self._transform(self._crs, self._degrees, *points))
        except Exception:  # its class is private to rasterio
            count = points.shape[1]
            if count == 1 or (count > _PROBES and not self._any_on_body(points)):
                return np.full(points.shape, np.nan)
            halves = (points[:, : count // 2], points[:, count // 2 :])
            return np.concatenate([self._in_degrees(half) for half in halves], axis=1)

    def _any_on_body(self, points: np.ndarray) -> bool:
        probes = points[:, np.linspace(0, points.shape[1] - 1, _PROBES).astype(int)]
        return any(np.isfinite(self._in_degrees(probes[:, [each]])).all() for each in range(_PROBES))


def _triangle(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return the signed solid angles of spherical triangles, whose corners are unit vectors (…, 3).

    The formula is that of Van Oosterom and Strackee (1983). With differences in its product, small ones stay exact.
    """
    product = np.einsum("...i,...i", a, np.cross(b - a, c - a))
    cosines = (np.einsum("...i,...i", *pair) for pair in ((a, b), (b, c), (c, a)))
    angles: np.ndarray = 2 * np.arctan2(product, 1 + sum(cosines))
    return angles


def _metres(length: Any) -> float:
    """Return a length of PROJJSON in metres: a number, or an object with a unit."""
    if isinstance(length, dict):
        unit = length["unit"]
        return float(length["value"]) * (float(unit["conversion_factor"]) if isinstance(unit, dict) else 1.0)
    return float(length)
