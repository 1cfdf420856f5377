"""What a slice view and the 3D view show, by Slicer's own logic and displayable managers, rendered off the screen."""

from __future__ import annotations

from typing import Any

import numpy as np

MANAGERS_2D = ("vtkMRMLSegmentationsDisplayableManager2D", "vtkMRMLMarkupsDisplayableManager")
MANAGERS_3D = ("vtkMRMLSegmentationsDisplayableManager3D",)


def slice_view(scene: Any, application: Any, name: str, width: int, height: int) -> np.ndarray:
    """The view's picture, RGB [row, column, 3], rows from the top."""
    import slicer
    import vtk

    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLScene(scene)
    logic.SetMRMLApplicationLogic(application)
    node = scene.GetNodeByID(f"vtkMRMLSliceNode{name}")
    logic.SetSliceNode(node)
    logic.SetSliceCompositeNode(scene.GetNodeByID(f"vtkMRMLSliceCompositeNode{name}"))
    field = node.GetFieldOfView()
    node.SetDimensions(width, height, 1)
    scale = min(field[0] / width, field[1] / height)
    node.SetFieldOfView(width * scale, height * scale, field[2])
    node.UpdateMatrices()
    logic.UpdatePipeline()

    window, renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
    window.SetOffScreenRendering(1)
    window.SetSize(width, height)
    window.AddRenderer(renderer)
    interactor = vtk.vtkGenericRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    mapper, actor = vtk.vtkImageMapper(), vtk.vtkActor2D()
    mapper.SetInputConnection(logic.GetImageDataConnection())
    mapper.SetColorWindow(255)
    mapper.SetColorLevel(127.5)
    actor.SetMapper(mapper)
    actor.SetLayerNumber(0)
    renderer.AddViewProp(actor)
    factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
    picture = _with_managers(factory, MANAGERS_2D, application, renderer, node, window)
    node.SetFieldOfView(*field)
    return picture


def three_d_view(scene: Any, application: Any, width: int, height: int, looking: Any) -> np.ndarray:
    """The segments as surfaces, seen as the camera node ``looking`` has it."""
    import slicer
    import vtk

    view = scene.AddNewNodeByClass("vtkMRMLViewNode")
    window, renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
    window.SetOffScreenRendering(1)
    window.SetSize(width, height)
    window.AddRenderer(renderer)
    renderer.SetBackground(0.95, 0.96, 0.98)
    interactor = vtk.vtkGenericRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    camera = renderer.GetActiveCamera()
    camera.SetFocalPoint(looking.GetFocalPoint())
    camera.SetPosition(looking.GetPosition())
    camera.SetViewUp(looking.GetViewUp())
    camera.SetViewAngle(looking.GetViewAngle())
    renderer.ResetCameraClippingRange()
    factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
    picture = _with_managers(factory, MANAGERS_3D, application, renderer, view, window)
    scene.RemoveNode(view)
    return picture


def _with_managers(
    factory: Any, names: tuple[str, ...], application: Any, renderer: Any, node: Any, window: Any
) -> np.ndarray:
    factory.SetMRMLApplicationLogic(application)
    for name in names:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = factory.InstantiateDisplayableManagers(renderer)
    group.SetMRMLDisplayableNode(node)
    renderer.ResetCameraClippingRange()
    window.Render()
    picture = _grabbed(window)
    group.SetMRMLDisplayableNode(None)
    return picture


def _grabbed(window: Any) -> np.ndarray:
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    grab.ShouldRerenderOff()
    grab.Update()
    columns, rows, _ = grab.GetOutput().GetDimensions()
    return vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(rows, columns, -1)[::-1, :, :3].copy()
