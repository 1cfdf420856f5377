"""The VTK painter: cells that carry colour and meaning, without any rendering; one live render in its own process."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkPolyData

from ScarSegECGLib.view.bullseye import bullseye, segment_at
from ScarSegECGLib.view.paint_vtk import LiveDrawing, drawing_to_vtk_polydata
from ScarSegECGLib.view.palette import colour_of
from ScarSegECGLib.view.shapes import Drawing, Polygon, RasterImage, Wedge, box_polygon, points

VALUES = [float(6 * n) for n in range(17)]


def cells(data: vtkPolyData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangles (n, 3, 2), colours (n, 4), keys (n,)."""
    at = vtk_to_numpy(data.GetPoints().GetData())[:, :2]
    faces = vtk_to_numpy(data.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    arrays = data.GetCellData()
    return at[faces], vtk_to_numpy(arrays.GetArray("colour")), vtk_to_numpy(arrays.GetArray("key"))


def area(triangles: np.ndarray) -> float:
    (ax, ay), (bx, by) = (triangles[:, 1] - triangles[:, 0]).T, (triangles[:, 2] - triangles[:, 0]).T
    return float(np.abs(ax * by - ay * bx).sum() / 2)


def test_every_segment_has_cells_of_its_colour_in_its_place() -> None:
    drawing = bullseye(VALUES)
    triangles, colours, keys = cells(drawing_to_vtk_polydata(drawing))
    wedges = {w.key: w for w in drawing.hits if isinstance(w, Wedge)}
    border = np.array([255, 255, 255, 255])
    for number, wedge in wedges.items():
        filled = (keys == number) & (colours != border).any(axis=1)
        want = np.rint(np.array([*colour_of(VALUES[number - 1], 0, 100), 1.0]) * 255)
        assert (colours[filled] == want).all()
        ring = np.pi * (wedge.outer**2 - wedge.inner**2) * (wedge.end - wedge.start) / 360
        assert area(triangles[filled]) == pytest.approx(ring, rel=0.01)
        middle = triangles[filled].mean(axis=1)
        assert {segment_at(x, y, drawing) for x, y in middle} == {number}


def test_cells_keep_painting_order() -> None:
    data = drawing_to_vtk_polydata(bullseye(VALUES, selected=3, territories=True))
    order = vtk_to_numpy(data.GetCellData().GetArray("shape"))
    assert (np.diff(order) >= 0).all()
    assert data.GetNumberOfCells() == len(order)
    assert data.GetCellData().GetScalars().GetName() == "colour"


def test_holes_stay_open_and_pictures_can_be_picked() -> None:
    hole = box_polygon((4, 4, 6, 6)).rings[0][::-1]
    ring = Polygon((box_polygon((0, 0, 10, 10)).rings[0], points(hole)), (1.0, 0.0, 0.0), key=5)
    image = RasterImage((20, 0, 30, 10), np.zeros((4, 4, 3), np.uint8), key=7)
    triangles, colours, keys = cells(drawing_to_vtk_polydata(Drawing(30, 10, (ring, image))))
    assert area(triangles[keys == 5]) == pytest.approx(96.0)
    assert area(triangles[keys == 7]) == pytest.approx(100.0)
    assert (colours[keys == 7, 3] == 0).all()


def test_empty_drawing_gives_empty_data() -> None:
    assert drawing_to_vtk_polydata(Drawing(10, 10, ())).GetNumberOfCells() == 0


def test_live_view_fits_and_answers_clicks_without_rendering() -> None:
    from vtkmodules.vtkRenderingCore import vtkRenderer

    drawing = bullseye(VALUES)
    renderer = vtkRenderer()
    live = LiveDrawing(renderer, drawing)
    live.fit(900, 600)
    scale = min(900 / drawing.width, 600 / drawing.height)
    left, bottom = (900 - scale * drawing.width) / 2, (600 - scale * drawing.height) / 2
    for wedge in drawing.hits:
        assert isinstance(wedge, Wedge)
        turn, radius = np.radians((wedge.start + wedge.end) / 2), (wedge.inner + wedge.outer) / 2
        x, y = wedge.x + radius * np.cos(turn), wedge.y + radius * np.sin(turn)
        assert live.key_at(left + x * scale, bottom + y * scale) == wedge.key
    assert live.key_at(2, 2) is None
    before = renderer.GetViewProps().GetNumberOfItems()
    live.show(bullseye(VALUES[::-1]))
    assert renderer.GetViewProps().GetNumberOfItems() == before


_PROBE = """
from vtkmodules import vtkRenderingOpenGL2
from vtkmodules.vtkRenderingCore import vtkRenderWindow
window = vtkRenderWindow()
window.SetOffScreenRendering(1)
window.Render()
"""

_RENDER = """
from vtkmodules import vtkRenderingOpenGL2
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow, vtkWindowToImageFilter
from ScarSegECGLib.view.bullseye import bullseye
from ScarSegECGLib.view.paint_vtk import LiveDrawing
drawing = bullseye([100.0] + [0.0] * 16)
renderer, window = vtkRenderer(), vtkRenderWindow()
live = LiveDrawing(renderer, drawing)
window.SetOffScreenRendering(1)
window.SetMultiSamples(0)
window.AddRenderer(renderer)
window.SetSize(180, 220)
live.fit(180, 220)
window.Render()
grab = vtkWindowToImageFilter()
grab.SetInput(window)
grab.ReadFrontBufferOff()
grab.Update()
pixels = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(220, 180, 3)
wedge = drawing.hits[0]
scale = min(180 / drawing.width, 220 / drawing.height)
x, y = (180 - scale * drawing.width) / 2 + wedge.x * scale, (220 - scale * drawing.height) / 2 + wedge.y * scale
print(*pixels[int(y + 32.0 * scale), int(x + 7.0 * scale)], *pixels[int(y - 32.0 * scale), int(x + 7.0 * scale)])
"""


def test_live_render_shows_the_values() -> None:
    """In a process of its own, because VTK ends the process where there is no EGL, OSMesa or display."""
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, timeout=120, check=False)
    if probe.returncode != 0:
        pytest.skip("VTK cannot render here: no EGL, OSMesa or display (install libosmesa6 or libegl1)")
    done = subprocess.run([sys.executable, "-c", _RENDER], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    shown = np.array(done.stdout.split(), float).reshape(2, 3)
    want = np.array([colour_of(100, 0, 100), colour_of(0, 0, 100)]) * 255
    assert shown == pytest.approx(want, abs=4)
