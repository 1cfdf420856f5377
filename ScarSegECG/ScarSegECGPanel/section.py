"""What the panel's sections have in common."""

from collections.abc import Callable

import qt


class Section:
    """One part of the panel.

    The panel calls :meth:`update` when the parameter node has changed, :meth:`onStudy` when the case at hand has, and
    :meth:`release` when it stops following the scene and every node is to be let go.
    """

    def __init__(self, panel, clicks: dict[str, Callable[[], None]]) -> None:
        """``clicks`` says what each of the section's buttons does."""
        self.panel = panel
        self.ui = panel.ui
        for name, action in clicks.items():
            getattr(self.ui, name).connect("clicked(bool)", lambda _checked=False, action=action: action())

    @property
    def parameters(self):  # None while the panel follows none
        return self.panel.parameterNode

    @property
    def study(self):  # None before the first Apply
        return self.panel.logic.study

    def timer(self, action: Callable[[], None], *, once: bool = True):
        timer = qt.QTimer()
        timer.setSingleShot(once)
        timer.connect("timeout()", action)
        return timer

    def enable(self, on: bool, *names: str) -> None:
        for name in names:
            getattr(self.ui, name).enabled = on

    def update(self) -> None: ...

    def onStudy(self) -> None: ...

    def release(self) -> None: ...
