"""Objects of S3, Google Cloud Storage, Azure and folders, many at once, from steps and notebooks."""

from __future__ import annotations

from airflow_mlflow_provider.datatools.exception import (
    MetaflowLocalNotFound,
    MetaflowLocalURLException,
    MetaflowS3AccessDenied,
    MetaflowS3Exception,
    MetaflowS3InsufficientDiskSpace,
    MetaflowS3InvalidObject,
    MetaflowS3InvalidRange,
    MetaflowS3NotFound,
    MetaflowS3URLException,
)
from airflow_mlflow_provider.datatools.local import Local, read_in_chunks
from airflow_mlflow_provider.datatools.objects import RangeInfo, S3GetObject, S3Object, S3PutObject
from airflow_mlflow_provider.datatools.s3 import S3
from airflow_mlflow_provider.datatools.store import ObjectStore

__all__ = [
    "S3",
    "Local",
    "MetaflowLocalNotFound",
    "MetaflowLocalURLException",
    "MetaflowS3AccessDenied",
    "MetaflowS3Exception",
    "MetaflowS3InsufficientDiskSpace",
    "MetaflowS3InvalidObject",
    "MetaflowS3InvalidRange",
    "MetaflowS3NotFound",
    "MetaflowS3URLException",
    "ObjectStore",
    "RangeInfo",
    "S3GetObject",
    "S3Object",
    "S3PutObject",
    "read_in_chunks",
]
