"""Every error this package raises at a user, as one tree.

```text
MetaflowException                                a user error: what, where, how to fix
├── MetaflowInternalError                        a broken promise of our own
├── MetaflowNotFound (LookupError)               a flow, run, step, task or artifact that does not exist
├── MetaflowNamespaceMismatch                    the object exists, outside the active namespace
├── MetaflowInvalidPathspec (ValueError)
├── MetaflowTaggingError
├── MetaflowUnknownUser
├── MetaflowDataMissing                          a record or an input that should be there is not
├── MetaflowConfigError (ValueError)             a bad key or value in the ``mlflow_provider`` section
├── CommandException (ValueError)                a bad argument of a command
├── ExternalCommandFailed
├── ParameterFieldFailed
├── ParameterFieldTypeMismatch (TypeError)
├── InvalidDecoratorAttribute (ValueError)
├── UnknownStepDecoratorException, UnknownFlowDecoratorException (LookupError)
├── DuplicateStepDecoratorException, DuplicateFlowDecoratorException
├── BadStepDecoratorException, BadFlowDecoratorException
├── InvalidNextException                         a transition that cannot be taken
│   └── SwitchCaseError (RuntimeError)           the value of a condition is not among the cases
├── UnhandledInMergeArtifactsException           ``artifact_names`` hold different values
├── MissingInMergeArtifactsException             ``artifact_names`` exist on no branch
├── TaskFailed                                   a task used up its attempts
├── TimeoutException (TimeoutError)              a step ran longer than its ``@timeout``
├── FailureHandledByCatch                        a process died; ``@catch`` stood in for it
├── InvalidEnvironmentException
├── NonUniqueFileNameToFilePathMappingException
├── MulticoreException
├── IncorrectProductionToken (PermissionError)
├── AirflowApiError                              the Airflow REST API refused or could not be reached
├── LintWarn                                     ``issues``: all findings of the linter
│   └── PyLintWarn
├── CardException                                those of ``cards.exception``
└── DataException                                artifacts and the store
    ├── UnpicklableArtifactException (TypeError)
    ├── UnreadableArtifactException              written with a module or codec this interpreter lacks
    ├── CorruptedDataException                   bytes that do not have the digest they were stored under
    ├── StoreException (OSError)                 the store could not be reached, or failed
    │   ├── ObjectNotFound (FileNotFoundError)
    │   ├── ObjectExists (FileExistsError)       a create-only put met an object
    │   ├── StoreConflict                        somebody else changed an object since it was read
    │   ├── StoreAccessDenied (PermissionError)
    │   └── StoreFull                            no space left, or a quota is used up
    ├── StoreURLError (ValueError)               a store URL that cannot be used
    └── MetaflowS3Exception, MetaflowLocal…      those of ``datatools.exception``
MetaflowExceptionWrapper (Exception)             an exception of user code, as stored with its task
```

Each class that describes something missing or invalid also is the matching builtin, so that
``except FileNotFoundError`` or ``getattr(obj, name, default)`` keep working.
"""

from __future__ import annotations

import dataclasses
import functools
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class MetaflowException(Exception):
    """A user error.

    Args:
        msg: What happened, in one or a few sentences.
        lineno: Line of the user's source that the error is about, 1-based.
        source_file: File of that line.
        fix: One imperative sentence that tells how to fix it.
        where: Those of flow, run, step, task, artifact, parameter … that apply.
    """

    headline: ClassVar[str] = "Flow error"

    def __init__(
        self,
        msg: object = "",
        lineno: int | None = None,
        source_file: str | None = None,
        *,
        fix: str = "",
        where: Mapping[str, Any] | None = None,
    ) -> None:
        self.message = str(msg)
        self.lineno = lineno
        self.source_file = source_file
        self.fix = fix
        self.where: dict[str, Any] = dict(where or {})
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(cls: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class MetaflowInternalError(MetaflowException):
    """A promise of this package was broken; the message says which."""

    headline = "Internal error"


class MetaflowNotFound(MetaflowException, LookupError):
    """A flow, run, step, task or artifact does not exist."""

    headline = "Object not found"


class MetaflowNamespaceMismatch(MetaflowException):
    """The object exists, but not in the active namespace."""

    headline = "Object not in the active namespace"


class MetaflowInvalidPathspec(MetaflowException, ValueError):
    """A pathspec has the wrong number or form of components."""

    headline = "Invalid pathspec"


class MetaflowTaggingError(MetaflowException):
    """A tag breaks a rule, or tags could not be changed."""

    headline = "Tagging failed"


class MetaflowUnknownUser(MetaflowException):
    """No user name could be found."""

    headline = "Unknown user"


class MetaflowDataMissing(MetaflowException):
    """A record or an input that must exist does not."""

    headline = "Data missing"


class MetaflowConfigError(MetaflowException, ValueError):
    """A key or value of the ``mlflow_provider`` configuration section is wrong."""

    headline = "Invalid configuration"


class CommandException(MetaflowException, ValueError):
    """An argument of a command cannot be used."""

    headline = "Command failed"


class ExternalCommandFailed(MetaflowException):
    """A program that this package started failed."""

    headline = "External command failed"


class ParameterFieldFailed(MetaflowException):
    """A function given as a field of a parameter raised."""

    headline = "Parameter field failed"


class ParameterFieldTypeMismatch(MetaflowException, TypeError):
    """A field or value of a parameter has the wrong type."""

    headline = "Parameter type mismatch"


class InvalidDecoratorAttribute(MetaflowException, ValueError):
    """A decorator was given an attribute, or a value for one, that it does not take."""

    headline = "Invalid decorator attribute"


class UnknownStepDecoratorException(MetaflowException, LookupError):
    """No step decorator has this name."""

    headline = "Unknown step decorator"


class UnknownFlowDecoratorException(MetaflowException, LookupError):
    """No flow decorator has this name."""

    headline = "Unknown flow decorator"


class DuplicateStepDecoratorException(MetaflowException):
    """A step carries a decorator twice that it may carry once."""

    headline = "Duplicate step decorator"


class DuplicateFlowDecoratorException(MetaflowException):
    """A flow carries a decorator twice that it may carry once."""

    headline = "Duplicate flow decorator"


class BadStepDecoratorException(MetaflowException):
    """A step decorator was applied to something that is not a step."""

    headline = "Misplaced step decorator"


class BadFlowDecoratorException(MetaflowException):
    """A flow decorator was applied to something that is not a flow."""

    headline = "Misplaced flow decorator"


class InvalidNextException(MetaflowException):
    """A transition that a step asked for cannot be taken."""

    headline = "Invalid self.next() transition"


class SwitchCaseError(InvalidNextException, RuntimeError):
    """The value of a switch's condition is not among its cases."""

    headline = "No case for the value of the condition"


class UnhandledInMergeArtifactsException(MetaflowException):
    """Branches hold different values of ``artifact_names``."""

    headline = "Unhandled artifacts in merge"

    def __init__(self, msg: object, artifact_names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(msg, **kwargs)
        self.artifact_names = list(artifact_names)
        self.args = (self.message, self.artifact_names)


class MissingInMergeArtifactsException(MetaflowException):
    """``artifact_names`` were to be merged and no branch has them."""

    headline = "Missing artifacts in merge"

    def __init__(self, msg: object, artifact_names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(msg, **kwargs)
        self.artifact_names = list(artifact_names)
        self.args = (self.message, self.artifact_names)


class TaskFailed(MetaflowException):
    """A task used up its attempts, or a step could not be started."""

    headline = "Task failed"


class TimeoutException(MetaflowException, TimeoutError):
    """A step ran longer than its ``@timeout`` allows."""

    headline = "Step timed out"


class FailureHandledByCatch(MetaflowException):
    """The process of a step died, and ``@catch`` let the flow go on.

    Args:
        attempts: How many attempts were made.
        cause: The last known cause: an exit code, a signal, ``OOMKilled`` …
    """

    headline = "Task died and was caught"

    def __init__(self, attempts: int, cause: str = "", **kwargs: Any) -> None:
        last = f" The last one ended with: {cause}." if cause else ""
        super().__init__(f"The task failed in all of its {attempts} attempts.{last}", **kwargs)
        self.attempts = attempts
        self.cause = cause


class InvalidEnvironmentException(MetaflowException):
    """The environment a step asks for cannot be built."""

    headline = "Invalid environment"


class NonUniqueFileNameToFilePathMappingException(MetaflowException):
    """Two source files want the same path in a code package."""

    headline = "Two files for one path of the code package"


class MulticoreException(MetaflowException):
    """A child of ``parallel_map`` failed."""

    headline = "Parallel map failed"


class IncorrectProductionToken(MetaflowException, PermissionError):
    """A deployment belongs to somebody else and the token given is not its own."""

    headline = "Incorrect production token"


class AirflowApiError(MetaflowException):
    """The Airflow REST API refused a call or could not be reached."""

    headline = "Airflow API call failed"


@functools.total_ordering
@dataclasses.dataclass(frozen=True)
class LintIssue:
    """One finding of the linter; sorts by file and line.

    Attributes:
        rule: Rule id, such as ``"T303"``.
        severity: ``"E"`` error or ``"W"`` warning.
        file: Source file of the finding.
        line: 1-based line.
        col: 1-based column.
        step: Name of the step, or ``None``.
        message: What is wrong.
        fix: How to fix it, one imperative sentence.
    """

    rule: str
    severity: str
    file: str
    line: int
    col: int
    step: str | None
    message: str
    fix: str

    def __lt__(self, other: LintIssue) -> bool:
        return self._place < other._place

    @property
    def _place(self) -> tuple[str, int, int, str, str, str, str]:
        return self.file, self.line, self.col, self.rule, self.severity, self.step or "", self.message

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.col} {self.rule} {self.message} {self.fix}".rstrip()


class LintWarn(MetaflowException):
    """The flow cannot run as it is written; ``issues`` lists every finding."""

    headline = "The flow has errors"

    def __init__(self, msg: object = "", issues: Sequence[LintIssue] = (), **kwargs: Any) -> None:
        self.issues = sorted(issues)
        text = str(msg) or "\n".join(str(issue) for issue in self.issues)
        super().__init__(text, **kwargs)


class PyLintWarn(LintWarn):
    """Pylint found errors in the flow's file."""

    headline = "Pylint found errors"


class DataException(MetaflowException):
    """Artifacts or their store."""

    headline = "Data error"


class UnpicklableArtifactException(DataException, TypeError):
    """A value cannot be stored; the message gives the path to the member at fault."""

    headline = "Artifact cannot be stored"


class UnreadableArtifactException(DataException):
    """A stored value needs a module or codec that this interpreter does not have."""

    headline = "Artifact cannot be read here"


class CorruptedDataException(DataException):
    """Stored bytes do not have the digest they were stored under."""

    headline = "Corrupted data"


class StoreException(DataException, OSError):
    """The store could not be reached, or an operation failed."""

    headline = "Store operation failed"


class ObjectNotFound(StoreException, FileNotFoundError):
    """No object has this key."""

    headline = "Object not found in the store"


class ObjectExists(StoreException, FileExistsError):
    """A create-only put met an object with the same key."""

    headline = "Object exists already"


class StoreConflict(StoreException):
    """An object was changed or deleted by somebody else since it was read."""

    headline = "Object changed by somebody else"


class StoreAccessDenied(StoreException, PermissionError):
    """The credentials found do not allow the operation."""

    headline = "Access to the store denied"


class StoreFull(StoreException):
    """No space is left where the store lives."""

    headline = "The store is full"


class StoreURLError(DataException, ValueError):
    """A store URL that cannot be used."""

    headline = "Invalid store URL"


class MetaflowExceptionWrapper(Exception):
    """An exception of user code, kept with its task without needing the user's modules to read it.

    Attributes:
        exception: ``str()`` of the exception.
        type: Qualified name of its class.
        stacktrace: The traceback as Python prints it, or ``None``.
    """

    def __init__(self, exc: BaseException | None = None) -> None:
        super().__init__()
        self.exception = "" if exc is None else str(exc)
        self.type = "" if exc is None else f"{type(exc).__module__}.{type(exc).__qualname__}"
        self.stacktrace: str | None = None
        if exc is not None and exc.__traceback__ is not None:
            self.stacktrace = "".join(traceback.format_exception(exc))

    def __reduce__(self) -> tuple[Any, ...]:
        return MetaflowExceptionWrapper, (), dict(self.__dict__)

    def __str__(self) -> str:
        return self.stacktrace or f"[no stacktrace]\n{self.type}: {self.exception}"

    def __repr__(self) -> str:
        return f"<MetaflowExceptionWrapper {self.type}: {self.exception}>"
