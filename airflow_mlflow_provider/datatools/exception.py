"""What can go wrong with objects of S3 and other stores, and with files.

```text
DataException                                of ``airflow_mlflow_provider.exception``
├── MetaflowS3Exception                      an operation of the S3 client failed
│   ├── MetaflowS3NotFound (FileNotFoundError)
│   ├── MetaflowS3AccessDenied (PermissionError)
│   ├── MetaflowS3URLException (ValueError)
│   ├── MetaflowS3InvalidObject (TypeError)
│   ├── MetaflowS3InvalidRange (ValueError)
│   └── MetaflowS3InsufficientDiskSpace (OSError)
├── MetaflowLocalNotFound (FileNotFoundError)
└── MetaflowLocalURLException (ValueError)
```
"""

from __future__ import annotations

from airflow_mlflow_provider.exception import DataException


class MetaflowS3Exception(DataException):
    """An operation of the S3 client failed."""

    headline = "S3 operation failed"


class MetaflowS3NotFound(MetaflowS3Exception, FileNotFoundError):
    """There is no object at this URL."""

    headline = "S3 object not found"


class MetaflowS3AccessDenied(MetaflowS3Exception, PermissionError):
    """The credentials found do not allow the operation."""

    headline = "S3 access denied"


class MetaflowS3URLException(MetaflowS3Exception, ValueError):
    """A URL or key that cannot be used."""

    headline = "Invalid S3 URL"


class MetaflowS3InvalidObject(MetaflowS3Exception, TypeError):
    """A value or file that cannot be put."""

    headline = "Not an S3 object"


class MetaflowS3InvalidRange(MetaflowS3Exception, ValueError):
    """The object has no such part."""

    headline = "Invalid S3 range"


class MetaflowS3InsufficientDiskSpace(MetaflowS3Exception, OSError):
    """There is no space for downloaded files."""

    headline = "Insufficient disk space"


class MetaflowLocalNotFound(DataException, FileNotFoundError):
    """There is no such file."""

    headline = "Local object not found"


class MetaflowLocalURLException(DataException, ValueError):
    """A URL or key that cannot be used for a file."""

    headline = "Invalid local URL"
