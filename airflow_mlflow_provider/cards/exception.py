"""What can go wrong with cards; each names the task, type, id or hash that was looked for, and what there is.

```text
MetaflowException
└── CardException
    ├── CardNotPresentException (LookupError)          no card of the task fits
    ├── TaskNotFoundException (LookupError)            there is no such task
    ├── CardClassFoundException (LookupError)          no class renders this type
    ├── TypeRequiredException (ValueError)             a type must be given
    ├── IncorrectCardArgsException (TypeError)         the options do not fit the card's class
    ├── IncorrectArgumentException (TypeError)         neither a task nor a pathspec
    ├── IncorrectPathspecException (ValueError)        not ``Flow/run/step/task``
    ├── UnrenderableCardException                      the card's class raised or took too long
    ├── UnresolvableDatastoreException                 the task's store cannot be told
    └── ComponentOverwriteNotSupportedException        a component's id is taken
```
"""

from __future__ import annotations

from typing import ClassVar

from airflow_mlflow_provider.exception import MetaflowException


class CardException(MetaflowException):
    """Something about cards."""

    headline: ClassVar[str] = "Card error"


class CardNotPresentException(CardException, LookupError):
    """No card of the task fits what was asked for."""

    headline = "Card not found"


class TaskNotFoundException(CardException, LookupError):
    """There is no such task."""

    headline = "Task not found"


class CardClassFoundException(CardException, LookupError):
    """No class renders cards of this type."""

    headline = "Unknown card type"


class TypeRequiredException(CardException, ValueError):
    """A type of card must be given."""

    headline = "Card type required"


class IncorrectCardArgsException(CardException, TypeError):
    """The options do not fit the card's class."""

    headline = "Incorrect card options"


class IncorrectArgumentException(CardException, TypeError):
    """Neither a task nor the pathspec of one."""

    headline = "Incorrect argument"


class IncorrectPathspecException(CardException, ValueError):
    """A pathspec that is not ``Flow/run/step/task``."""

    headline = "Incorrect pathspec"


class UnrenderableCardException(CardException):
    """The card's class raised an exception or took too long."""

    headline = "Card could not be rendered"


class UnresolvableDatastoreException(CardException):
    """The store of the task cannot be told."""

    headline = "Unknown artifact store"


class ComponentOverwriteNotSupportedException(CardException):
    """A component with this id is in the card already."""

    headline = "Component exists"
