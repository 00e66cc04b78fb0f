"""Every key of the ``[mlflow_provider]`` section; the provider metadata and the reader are made from this table."""

from __future__ import annotations

import sys
from types import MappingProxyType
from typing import Final, Literal

from airflow_mlflow_provider.configuration.key import Key

# The names by type, so that `get` is typed and a misspelt key is found by mypy. A test holds them equal to the table.
IntegerKey = Literal[
    "client_cache_max_size",
    "default_runtime_limit",
    "max_iterations",
    "max_map_width",
    "max_num_splits",
    "max_retries",
    "max_workers",
    "merge_compare_max_bytes",
    "pod_startup_timeout_s",
    "s3_retries",
    "s3_workers",
    "warm_pods",
    "xcom_inline_max_bytes",
]
OptionalIntegerKey = Literal["max_active_runs"]
FloatKey = Literal[
    "cache_lease_s",
    "cache_wait_s",
    "card_max_artifact_mb",
    "deploy_wait_s",
    "exit_hook_timeout_s",
    "fail_grace_s",
    "heartbeat_s",
    "heartbeat_timeout_s",
    "log_flush_s",
    "max_log_size",
    "package_max_mb",
    "timeout_grace_s",
    "warm_pod_idle_s",
]
BooleanKey = Literal[
    "card_warnings",
    "datastore_shared",
    "debug",
    "forbid_nested_foreach",
    "pod_deferrable",
    "production",
    "pylint",
    "quiet",
    "strict",
    "wheel_cache",
    "xcom_allow_pickle",
]
ListKey = Literal["default_decospecs", "default_package_suffixes", "environment_platforms"]
JsonKey = Literal["compute_pools", "kubernetes_annotations", "kubernetes_labels"]
StringKey = Literal[
    "compression",
    "dags_folder",
    "default_compute",
    "default_environment",
    "empty_foreach",
    "event_prefix",
    "kubernetes_image",
    "local_retry_delay",
    "pod_on_finish_action",
    "preload",
    "token_cache_path",
    "unpersisted_artifacts",
]
OptionalStringKey = Literal[
    "api_password",
    "api_token",
    "api_url",
    "api_user",
    "aws_conn_id",
    "branch",
    "client_cache_path",
    "datastore_root",
    "default_secrets_backend",
    "default_secrets_role",
    "kubernetes_conn_id",
    "kubernetes_namespace",
    "kubernetes_service_account",
    "profile",
    "runtime_image",
    "s3_endpoint_url",
    "s3_root",
    "s3_sse",
    "secrets_prefix",
    "temp_dir",
    "user",
    "xcom_conn_id",
]

_STORE = (
    Key(
        "datastore_root",
        "string",
        "Where artifacts, records and code packages are kept: a folder or a URL (`file://`, `s3://`, `gs://`, `az://`). "
        "By default the folder `.mlflow_provider` of the nearest ancestor that has one, else of the working directory.",
        example="s3://team-bucket/flows",
    ),
    Key(
        "datastore_shared",
        "boolean",
        "Whether a store that is a folder is the same folder on every machine that runs steps.",
        default=False,
    ),
    Key("client_cache_path", "string", "Folder of the client's artifact cache; by default in `temp_dir`."),
    Key(
        "client_cache_max_size",
        "integer",
        "Size of the client's artifact cache, in MB.",
        default=10_000,
        minimum=0,
    ),
    Key(
        "unpersisted_artifacts",
        "string",
        "What happens when a step leaves a function on `self`, which is not stored.",
        default="warn",
        choices=("warn", "error", "ignore"),
    ),
    Key(
        "compression",
        "string",
        "Compression of artifacts: `auto` compresses what a sample shows to shrink.",
        default="auto",
        choices=("auto", "zstd", "none"),
    ),
    Key(
        "merge_compare_max_bytes",
        "integer",
        "Largest artifact, in bytes, that `merge_artifacts` compares by value when the digests differ.",
        default=67_108_864,
        minimum=0,
    ),
)

_SESSION = (
    Key(
        "user",
        "string",
        "The user name that runs are tagged with; by default found in the environment.",
        example="ada",
    ),
    Key(
        "profile",
        "string",
        "Name of the active profile: the file `$AIRFLOW_HOME/mlflow_provider/<name>.cfg`, read before `airflow.cfg`.",
        example="production",
    ),
    Key("temp_dir", "string", "Folder for temporary files; by default the system's."),
    Key("debug", "boolean", "Show the traceback of errors that are not the user code's.", default=False),
    Key("quiet", "boolean", "Print neither headers nor progress, as with `--quiet`.", default=False),
    Key(
        "pylint",
        "boolean",
        "Run Pylint's error checks where it is installed, as with `--pylint`.",
        default=True,
    ),
    Key("strict", "boolean", "Treat the linter's warnings as errors, as with `--strict`.", default=False),
    Key("branch", "string", "Branch of `@project`, as with `--branch`.", example="experiment"),
    Key(
        "production",
        "boolean",
        "Use the production branch of `@project`, as with `--production`.",
        default=False,
    ),
    Key(
        "default_environment",
        "string",
        "Where the packages of a step come from when `--environment` is not given.",
        default="local",
        choices=("local", "pypi", "uv"),
    ),
    Key(
        "default_decospecs",
        "list",
        "Step decorators added to every step that lacks them, as for `--with`, separated by white space.",
        default=(),
        separator=None,
        example="retry:times=4 resources:memory=8000",
    ),
    Key(
        "default_package_suffixes",
        "list",
        "Suffixes of the files that the code package holds, separated by commas.",
        default=(".py", ".R", ".RDS"),
    ),
    Key("package_max_mb", "float", "Largest code package, in MB.", default=200.0, minimum=0),
)

_RUNTIME = (
    Key("max_workers", "integer", "Tasks of a local run that run at once.", default=16, minimum=1),
    Key("max_num_splits", "integer", "Widest foreach of a local run.", default=100, minimum=1),
    Key(
        "max_iterations",
        "integer",
        "Most iterations of a step that chooses itself.",
        default=10_000,
        minimum=1,
    ),
    Key(
        "fail_grace_s",
        "float",
        "Seconds that running tasks get to finish once a task of a local run has failed.",
        default=5.0,
        minimum=0,
    ),
    Key("max_retries", "integer", "Most retries that `@retry` may ask for.", default=20, minimum=0),
    Key(
        "local_retry_delay",
        "string",
        "When a local run waits between retries: only where the delay is written in the code, never, or always.",
        default="explicit",
        choices=("explicit", "never", "always"),
    ),
    Key(
        "default_runtime_limit",
        "integer",
        "Seconds after which a step without `@timeout` is stopped.",
        default=432_000,
        minimum=1,
    ),
    Key(
        "timeout_grace_s",
        "float",
        "Seconds between the limit of a step and the backstop that kills it from outside.",
        default=60.0,
        minimum=0,
    ),
    Key(
        "empty_foreach",
        "string",
        "A foreach over nothing is an error, or skips to its join.",
        default="error",
        choices=("error", "skip"),
    ),
    Key(
        "forbid_nested_foreach",
        "boolean",
        "Whether the linter refuses a foreach in a foreach.",
        default=False,
    ),
    Key(
        "log_flush_s",
        "float",
        "Seconds between two uploads of a running task's logs.",
        default=2.0,
        minimum=0.1,
    ),
    Key(
        "max_log_size", "float", "Size at which the log of an attempt is cut, in MB.", default=10.0, minimum=0
    ),
    Key(
        "cache_lease_s",
        "float",
        "Silence, in seconds, after which a task that computes a result of `@cache` is taken for dead by those that wait for it.",
        default=60.0,
        minimum=1.0,
    ),
    Key(
        "cache_wait_s",
        "float",
        "How long a step with `@cache` waits for another task that computes the same; then it computes too.",
        default=3600.0,
        minimum=0.0,
    ),
    Key(
        "heartbeat_s",
        "float",
        "Seconds between two signs of life of a running run.",
        default=10.0,
        minimum=0.1,
    ),
    Key(
        "heartbeat_timeout_s",
        "float",
        "Seconds without a sign of life after which a run counts as lost.",
        default=120.0,
        minimum=1,
    ),
    Key(
        "card_max_artifact_mb",
        "float",
        "Largest artifact that a card shows by value, in MB.",
        default=200.0,
        minimum=0,
    ),
    Key("card_warnings", "boolean", "Whether mistakes in card code are warned about.", default=True),
    Key("exit_hook_timeout_s", "float", "Seconds that an exit hook may take.", default=600.0, minimum=1),
)

_CREDENTIALS_AND_S3 = (
    Key(
        "default_secrets_backend",
        "string",
        "The source of `@secrets` that are given by name only.",
        example="env",
    ),
    Key("default_secrets_role", "string", "The role taken on to read secrets."),
    Key("secrets_prefix", "string", "What is put before the names of secrets.", example="flows/"),
    Key(
        "s3_root", "string", "The root of the S3 tool's own objects, a URL.", example="s3://team-bucket/data"
    ),
    Key(
        "s3_endpoint_url",
        "string",
        "The URL of an S3 service that is not AWS.",
        example="https://s3.example.org",
    ),
    Key("s3_sse", "string", "Server-side encryption asked for on S3 writes.", example="aws:kms"),
    Key("s3_retries", "integer", "Retries of a failed S3 request.", default=7, minimum=0),
    Key("s3_workers", "integer", "S3 requests that run at once.", default=64, minimum=1),
    Key(
        "aws_conn_id",
        "string",
        "The Airflow connection whose AWS credentials workers use.",
        example="aws_default",
    ),
)

_COMPUTE = (
    Key(
        "default_compute",
        "string",
        "Where steps without a compute decorator run on Airflow: in the worker, or each in a pod.",
        default="worker",
        choices=("worker", "kubernetes"),
    ),
    Key(
        "kubernetes_conn_id",
        "string",
        "The Airflow connection of the cluster; by default the one Airflow runs in.",
    ),
    Key(
        "kubernetes_namespace", "string", "The namespace that pods are made in; by default the connection's."
    ),
    Key(
        "kubernetes_image",
        "string",
        "The image of steps that name none; by default Python's own, of the version in use.",
        default=f"python:{sys.version_info.major}.{sys.version_info.minor}",
        example="registry.example.org/flows/step:1.4",
    ),
    Key(
        "runtime_image",
        "string",
        "An image that holds this runtime, from which an init container places it into step pods.",
        example="registry.example.org/flows/runtime:0.1.0",
    ),
    Key("kubernetes_service_account", "string", "The service account of step pods."),
    Key(
        "kubernetes_labels",
        "json",
        "Labels put on every step pod, a JSON object.",
        example='{"team": "forecasts"}',
    ),
    Key("kubernetes_annotations", "json", "Annotations put on every step pod, a JSON object."),
    Key(
        "compute_pools",
        "json",
        "Named settings for `compute_pool`, a JSON object from a name to `node_selector` and `tolerations`.",
        example='{"gpu": {"node_selector": {"pool": "gpu"}}}',
    ),
    Key("pod_startup_timeout_s", "integer", "Seconds that a pod may take to start.", default=600, minimum=1),
    Key(
        "pod_on_finish_action",
        "string",
        "What becomes of a pod that has ended.",
        default="delete_pod",
        choices=("delete_pod", "delete_succeeded_pod", "keep_pod"),
    ),
    Key(
        "warm_pods",
        "integer",
        "Most pods of a kind that stand for the steps of a deployment with @kubernetes(warm=True).",
        default=4,
        minimum=0,
    ),
    Key(
        "warm_pod_idle_s",
        "float",
        "Seconds without a step after which a warm pod ends.",
        default=60.0,
        minimum=1,
    ),
    Key("pod_deferrable", "boolean", "Whether waiting for pods is done by the triggerer.", default=True),
)

_AIRFLOW = (
    Key("api_url", "string", "The URL of Airflow's API server.", example="https://airflow.example.org"),
    Key("api_token", "string", "A token for Airflow's API.", sensitive=True),
    Key("api_user", "string", "The user that asks Airflow's API for a token."),
    Key("api_password", "string", "The password of `api_user`.", sensitive=True),
    Key(
        "dags_folder",
        "string",
        "Where `airflow create` writes: a folder, or the `s3://` URL of a DAG bundle. By default Airflow's own DAGs folder.",
        default="{AIRFLOW_HOME}/dags",
        fallback=("core", "dags_folder"),
    ),
    Key(
        "deploy_wait_s",
        "float",
        "Seconds that `airflow trigger` waits for a new DAG to be parsed.",
        default=120.0,
        minimum=0,
    ),
    Key(
        "max_active_runs",
        "integer",
        "Runs of a deployed flow that run at once; by default Airflow's own limit.",
        minimum=1,
    ),
    Key(
        "max_map_width",
        "integer",
        "Splits of a foreach that get an Airflow task instance each; wider ones share instances.",
        default=512,
        minimum=1,
    ),
    Key(
        "preload",
        "string",
        "What the scheduler and the DAG processor import once for the processes forked from them (LocalExecutor's workers, parsers): "
        "`steps` what every step needs, `pods` the Kubernetes pod operator as well (some 100 MB), `none` nothing; `auto` is `pods` where "
        "`default_compute` is `kubernetes`, else `steps`.",
        default="auto",
        choices=("auto", "none", "steps", "pods"),
    ),
    Key("event_prefix", "string", "First part of the names of namespaced events.", default="mfns"),
    Key(
        "wheel_cache",
        "boolean",
        "Whether tasks install from wheels kept in the store, not from an index.",
        default=True,
    ),
    Key(
        "environment_platforms",
        "list",
        "Platforms that `airflow create` locks environments for, such as `linux-x86_64`; by default Linux on the processor at hand.",
        default=(),
        example="linux-x86_64,linux-aarch64",
    ),
    Key(
        "token_cache_path",
        "string",
        "The file that keeps the production tokens that a user has made or given.",
        default="{AIRFLOW_HOME}/mlflow_provider/tokens.json",
    ),
)

_XCOM = (
    Key(
        "xcom_conn_id",
        "string",
        "The Airflow connection, of the type `artifact_store`, of the XCom backend's store; by default `datastore_root`.",
        example="artifact_store_default",
    ),
    Key(
        "xcom_inline_max_bytes",
        "integer",
        "Longest JSON, in bytes, that the XCom backend keeps in Airflow's database rather than in the store.",
        default=4096,
        minimum=0,
    ),
    Key(
        "xcom_allow_pickle",
        "boolean",
        "Whether XComs and named artifacts without a safe form, such as models, may be pickled, and unpickled in tasks.",
        default=False,
    ),
)

KEYS: Final = MappingProxyType(
    {
        key.name: key
        for key in (*_STORE, *_SESSION, *_RUNTIME, *_CREDENTIALS_AND_S3, *_COMPUTE, *_AIRFLOW, *_XCOM)
    }
)
