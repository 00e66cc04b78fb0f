"""Run once before Airflow starts: makes the bucket of the store, and the password file of the simple auth manager.

Both may be there already, from an earlier start.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import boto3
from botocore.exceptions import ClientError


def make_bucket(name: str) -> None:
    """Make the bucket unless it is ours already; credentials and endpoint come from the environment."""
    client = boto3.client("s3")
    try:
        client.create_bucket(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise


def write_passwords(file: Path, password: str) -> None:
    """Write the password of the one user, `admin`; the manager would make up a random one."""
    file.write_text(json.dumps({"admin": password}))
    file.chmod(0o600)


if __name__ == "__main__":
    make_bucket(os.environ["STORE_BUCKET"])
    write_passwords(
        Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]), os.environ["ADMIN_PASSWORD"]
    )
