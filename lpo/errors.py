"""The one exception that a user's input can cause."""


class InputError(ValueError):
    """Bad input: one line that says what was wrong, where, and what is allowed.

    Commands print the line and leave with exit code 2; a library user sees an ordinary
    `ValueError`.
    """
