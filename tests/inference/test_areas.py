"""Areas of cells on the body: on a known sphere, against equal-area projections, and wherever a map is cut."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from marsseg_core.inference.maps import areas
from marsseg_core.inference.maps.areas import CellAreas, ellipsoid_of

RADIUS = 3_396_190
FLAT = f"+a={RADIUS} +b=3376200"  # the ellipsoid of Mars


def cells(crs, transform, shape, top=0, bottom=None):
    system = CRS.from_user_input(crs)
    measured = CellAreas(system, transform, shape, ellipsoid_of(system))
    return measured.of_rows(top, shape[0] if bottom is None else bottom).astype(float)


class TestTheWholeBody:
    """A map of all longitudes and latitudes, with one pixel a degree."""

    def test_has_the_surface_of_the_sphere(self):
        whole = cells(f"+proj=longlat +R={RADIUS}", Affine(1, 0, -180, 0, -1, 90), (180, 360))
        assert whole.sum() == pytest.approx(4 * pi * RADIUS**2, rel=1e-6)

    def test_has_the_surface_of_the_ellipsoid(self):
        whole = cells(f"+proj=longlat {FLAT}", Affine(1, 0, 0, 0, -1, 90), (180, 360))
        a, b = RADIUS, 3_376_200
        e = np.sqrt(1 - (b / a) ** 2)
        surface = 2 * pi * a**2 * (1 + (1 - e**2) / e * np.arctanh(e))
        assert whole.sum() == pytest.approx(surface, rel=1e-6)

    def test_has_cells_that_shrink_to_the_poles(self):
        column = cells(f"+proj=longlat +R={RADIUS}", Affine(1, 0, 0, 0, -1, 90), (180, 1))[:, 0]
        ends = np.radians(np.arange(90, -91, -1))
        np.testing.assert_allclose(column, RADIUS**2 * np.radians(1) * -np.diff(np.sin(ends)), rtol=1e-4)


@pytest.mark.parametrize("body", [f"+R={RADIUS}", FLAT])
@pytest.mark.parametrize(
    "projection", ["+proj=cea +lat_ts=20", "+proj=laea +lat_0=80", "+proj=laea +lat_0=-30", "+proj=sinu"]
)
@pytest.mark.parametrize("size", [0.25, 1000.0])
def test_in_an_equal_area_projection_all_cells_have_the_area_of_a_pixel(body, projection, size):
    measured = cells(f"{projection} {body}", Affine(size, 0, -20 * size, 0, -size, 15 * size), (30, 40))
    np.testing.assert_allclose(measured, size**2, rtol=2e-5)
    assert measured.sum() == pytest.approx(measured.size * size**2, rel=1e-6)


def test_a_stereographic_pole_is_a_corner_of_cells_like_others():
    """Its scale grows with the distance from the pole; at the pole itself it is 1."""
    measured = cells(f"+proj=stere +lat_0=90 +R={RADIUS}", Affine(500, 0, -2000, 0, -500, 2000), (8, 8))
    np.testing.assert_allclose(measured, 500**2, rtol=1e-5)


def test_latitudes_may_be_planetocentric():
    """The same place on the same ellipsoid, in both kinds of latitudes of the IAU."""
    graphic = np.radians(50)
    centric = np.degrees(np.arctan((3_376_200 / RADIUS) ** 2 * np.tan(graphic)))
    by_centric = cells("IAU_2015:49902", Affine(1e-3, 0, 0, 0, -1e-3, centric), (1, 1))
    by_graphic = cells(f"+proj=longlat {FLAT}", Affine(1e-3, 0, 0, 0, -1e-3, 50), (1, 1))
    change = (3_376_200 / RADIUS) ** 2 / (np.cos(graphic) ** 2 + (3_376_200 / RADIUS) ** 4 * np.sin(graphic) ** 2)
    assert by_centric.item() * change == pytest.approx(by_graphic.item(), rel=1e-4)


def test_a_place_that_is_not_on_the_body_has_no_area():
    disk = cells(f"+proj=ortho +R={RADIUS}", Affine(1e6, 0, -4e6, 0, -1e6, 4e6), (8, 8))
    assert np.isfinite(disk[3:5, 3:5]).all()
    assert not np.isfinite(disk[0, 0])


def test_in_a_large_image_a_cell_has_several_pixels_of_nearly_the_same_area(monkeypatch):
    place, shape = Affine(0.1, 0, 0, 0, -0.1, 80), (600, 50)
    exact = cells(f"+proj=longlat +R={RADIUS}", place, shape)
    monkeypatch.setattr(areas, "_CELLS", 200)
    coarse = np.concatenate(
        [cells(f"+proj=longlat +R={RADIUS}", place, shape, *rows) for rows in ((0, 512), (512, 600))]
    )
    assert len(np.unique(coarse[:, 0])) == 38  # of 16 pixels
    np.testing.assert_allclose(coarse.sum(), exact.sum(), rtol=1e-4)
    np.testing.assert_allclose(coarse, exact, rtol=0.1)


@pytest.mark.parametrize(
    ("crs", "axes"),
    [
        (f"+proj=sinu +R={RADIUS}", (RADIUS, RADIUS)),
        ("EPSG:32633", (6_378_137, 6_356_752.3142)),
        ("IAU_2015:49912", (RADIUS, 3_376_200)),
        ('LOCAL_CS["a table",UNIT["metre",1]]', None),
        (None, None),
    ],
)
def test_the_ellipsoid_is_that_of_the_coordinate_reference_system(crs, axes):
    found = ellipsoid_of(CRS.from_user_input(crs) if crs else None)
    assert found is None if axes is None else (found.major, found.minor) == pytest.approx(axes)
