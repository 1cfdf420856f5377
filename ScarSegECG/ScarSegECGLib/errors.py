"""The one error a user is meant to read."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line that says what is wrong and what to do about it, and never holds a patient's name,
    identifier or date of birth. The command prints it on stderr and exits with code 2; the panel shows it in a box.
    """


class NoLeftVentricle(InputError):
    """The images show no left ventricle that could be segmented."""
