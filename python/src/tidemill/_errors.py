"""What a call, or a run of calls, can end with besides what the function itself raises."""

from concurrent.futures.process import BrokenProcessPool


class RunFailed(BrokenProcessPool):
    """A run ended before this call did, or there is nobody left to run it."""


class EnvironmentMismatch(RunFailed):
    """The workers' Python is not this one's. Nothing was uploaded."""


class CostExceeded(RunFailed):
    """The run reached its `max_cost_usd`."""


class TaskKilled(BrokenProcessPool):
    """The process of a call ended before the call did."""

    def __init__(self, message: str, reason: str, index: int = 0, attempts: int = 1, log_tail: str = "") -> None:
        super().__init__(message)
        #: memory, timeout, crash, cancelled or initializer
        self.reason = reason
        #: of the call in its run, from 0
        self.index = index
        self.attempts = attempts
        #: the end of what the last attempt printed
        self.log_tail = log_tail

    def __reduce__(self) -> tuple[type["TaskKilled"], tuple[str, str, int, int, str]]:
        return type(self), (str(self), self.reason, self.index, self.attempts, self.log_tail)


class CallTimeout(TaskKilled, TimeoutError):
    """The call took longer than its `timeout`; its process was killed."""


class RemoteError(Exception):
    """An exception that only its worker can have: it cannot be pickled, or not be read here."""

    def __init__(self, type: str, message: str, traceback: str) -> None:
        super().__init__(type, message, traceback)
        #: the name of the exception's class, with its module
        self.type = type
        self.message = message
        self.traceback = traceback

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"
