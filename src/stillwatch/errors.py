"""The errors a person meets: one line that says what was wrong, where, and what to do; and the exit status of each."""

DONE = 0
UNUSABLE_INPUT = 2
CAMPAIGNS_FOUND = 3
ENVIRONMENT = 4
INTERRUPTED = 130


class StillwatchError(Exception):
    """An error whose message is one line written for the person at the terminal."""

    exit_status = UNUSABLE_INPUT


class InputError(StillwatchError):
    """Nothing usable in what was given: the message names the file, the line or column, and what was expected."""

    exit_status = UNUSABLE_INPUT


class EnvironmentFailure(StillwatchError):
    """The machine failed us (disk, permission, memory): the message says which and what was kept."""

    exit_status = ENVIRONMENT
