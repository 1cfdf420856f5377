"""What the panel's sections have in common."""

from collections.abc import Callable


class Section:
    """One collapsible part of the panel.

    The panel calls :meth:`update` when the parameter node has changed, :meth:`onStudy` when the case at hand has, and
    :meth:`release` when it stops following the scene.
    """

    def __init__(self, panel) -> None:
        self.panel = panel
        self.ui = panel.ui
        self._busy = False

    @property
    def parameters(self):
        """The parameter node, None while the panel follows none."""
        return self.panel.parameterNode

    @property
    def study(self):
        """The case at hand, None before the first Apply."""
        return self.panel.logic.study

    def whenClicked(self, button, action: Callable[[], None]) -> None:
        button.connect("clicked(bool)", lambda checked=False: action())

    def update(self) -> None:
        """The parameter node has changed."""

    def onStudy(self) -> None:
        """Another case, or the same one changed."""

    def release(self) -> None:
        """Let go of every node."""
