"""The public names of SURFACE.md §20: each exists, or says that it is not made yet."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Mapping

import pytest

import airflow_mlflow_provider

ROOT = [
    "FlowSpec",
    "step",
    "Parameter",
    "JSONType",
    "JSONTypeClass",
    "IncludeFile",
    "Config",
    "ConfigValue",
    "config_expr",
    "current",
    "retry",
    "catch",
    "timeout",
    "resources",
    "kubernetes",
    "environment",
    "secrets",
    "parallel",
    "pytorch_parallel",
    "card",
    "pypi",
    "cache",
    "airflow_task",
    "conda",
    "batch",
    "checkpoint",
    "slurm",
    "project",
    "schedule",
    "trigger",
    "trigger_on_finish",
    "exit_hook",
    "pypi_base",
    "airflow_external_task_sensor",
    "airflow_s3_key_sensor",
    "package_sources",
    "conda_base",
    "user_step_decorator",
    "UserStepDecorator",
    "StepMutator",
    "FlowMutator",
    "USER_SKIP_STEP",
    "Metaflow",
    "Flow",
    "Run",
    "Step",
    "Task",
    "DataArtifact",
    "namespace",
    "get_namespace",
    "default_namespace",
    "metadata",
    "get_metadata",
    "default_metadata",
    "inspect_spin",
    "Runner",
    "NBRunner",
    "Deployer",
    "DeployedFlow",
    "NBDeployer",
    "S3",
    "parallel_map",
    "parallel_imap_unordered",
    "profile",
    "namespaced_event_name",
    "yaml_parser",
    "requirements_txt_parser",
    "pyproject_toml_parser",
    "conda_environment_yml_parser",
    "cards",
    "__version__",
]
MODULES = {
    "client": "Metaflow Flow Run Step Task DataArtifact namespace get_namespace default_namespace metadata get_metadata "
    "default_metadata MetaflowCode MetaflowData MetaflowObject",
    "events": "Trigger MetaflowEvent",
    "exception": "MetaflowException MetaflowExceptionWrapper MetaflowInternalError MetaflowNotFound "
    "MetaflowNamespaceMismatch MetaflowInvalidPathspec MetaflowTaggingError MetaflowUnknownUser MetaflowDataMissing "
    "CommandException ExternalCommandFailed ParameterFieldFailed ParameterFieldTypeMismatch InvalidDecoratorAttribute "
    "UnknownStepDecoratorException UnknownFlowDecoratorException DuplicateStepDecoratorException "
    "DuplicateFlowDecoratorException BadStepDecoratorException BadFlowDecoratorException InvalidNextException "
    "UnhandledInMergeArtifactsException MissingInMergeArtifactsException UnpicklableArtifactException DataException "
    "TaskFailed TimeoutException FailureHandledByCatch InvalidEnvironmentException LintWarn PyLintWarn "
    "MulticoreException NonUniqueFileNameToFilePathMappingException LintIssue SwitchCaseError MetaflowConfigError "
    "IncorrectProductionToken AirflowApiError",
    "parameters": "Parameter IncludeFile JSONType JSONTypeClass ParameterContext",
    "includefile": "IncludeFile IncludedFile",
    "runner": "Runner NBRunner Deployer DeployedFlow NBDeployer TriggeredRun ExecutingRun ExecutingTask "
    "ExecutingProcess AirflowDeployer AirflowDeployedFlow AirflowTriggeredRun NBRunnerInitializationError "
    "NBDeployerInitializationError",
    "mutators": "MutableFlow MutableStep ContentType",
    "serializers": "ArtifactSerializer SerializationFormat",
    "secret_sources": "get_secret SecretsProvider",
    "integrations": "ArgoEvent FlowEvent",
    "cards": "get_cards MetaflowCard MetaflowCardComponent Markdown Table Image Artifact Error VegaChart ProgressBar "
    "ValueBox PythonCode EventsTimeline JSONViewer YAMLViewer DefaultCard BlankCard ErrorCard PageComponent Card "
    "CardContainer CardNotPresentException TaskNotFoundException CardClassFoundException IncorrectCardArgsException "
    "UnrenderableCardException IncorrectArgumentException IncorrectPathspecException TypeRequiredException "
    "UnresolvableDatastoreException ComponentOverwriteNotSupportedException",
    "datatools": "S3 S3Object S3GetObject S3PutObject RangeInfo Local read_in_chunks ObjectStore MetaflowS3Exception "
    "MetaflowS3NotFound MetaflowS3AccessDenied MetaflowS3URLException MetaflowS3InvalidObject MetaflowS3InvalidRange "
    "MetaflowS3InsufficientDiskSpace MetaflowLocalNotFound MetaflowLocalURLException",
    "testing": "run_flow",
    "testing.serializers": "SerializerConformance",
    "testing.store": "StoreConformance",
    "get_provider_info": "get_provider_info",
}
# Those that need Airflow.
AIRFLOW_MODULES = {
    "dag": "FlowDag FlowTaskGroup load_flow",
    "operators.run_step": "RunStepOperator",
    "operators.trigger_flow": "TriggerFlowOperator",
    "operators.resume_flow": "ResumeFlowOperator",
    "operators.artifacts": "PublishArtifactOperator FetchArtifactOperator TagRunOperator",
    "operators.garbage": "CollectGarbageOperator",
    "operators.artifact_decorator": "artifact_task",
    "sensors.artifact_store": "FlowRunSensor ArtifactSensor",
    "triggers.artifact_store": "FlowRunTrigger ArtifactTrigger",
    "triggers.pod": "PodTrigger",
    "hooks.artifact_store": "ArtifactStoreHook",
    "hooks.artifact_versions": "NamedArtifact",
    "xcom.artifact_store": "ArtifactStoreXComBackend",
    "xcom.reference": "ArtifactReference load pull_reference",
    "xcom.lazy": "as_reference",
    "assets.artifact": "artifact_asset flow_asset",
    "notifications.flow_run": "FlowRunNotifier",
    "plugins.flow_plugin": "FlowPlugin",
}


def of_modules(modules: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each module with each of its names."""
    return [(module, name) for module, names in modules.items() for name in names.split()]


@pytest.mark.parametrize("name", ROOT)
def test_a_root_name_exists(name: str) -> None:
    assert name in airflow_mlflow_provider.__all__
    assert getattr(airflow_mlflow_provider, name) is not None


def test_the_root_holds_nothing_else() -> None:
    assert set(airflow_mlflow_provider.__all__) <= set(ROOT)
    assert set(airflow_mlflow_provider.__all__) <= set(dir(airflow_mlflow_provider))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        airflow_mlflow_provider.nothing  # noqa: B018


def test_what_metaflow_has_beside_its_own_names_may_be_imported_and_says_what_to_use() -> None:
    from airflow_mlflow_provider import Checkpoint
    from airflow_mlflow_provider.exception import MetaflowException

    with pytest.raises(MetaflowException) as refused:
        Checkpoint()
    assert "artifacts" in refused.value.fix


@pytest.mark.parametrize(("module", "name"), [*of_modules(MODULES), *of_modules(AIRFLOW_MODULES)])
def test_a_name_of_a_module_exists(module: str, name: str) -> None:
    assert getattr(importlib.import_module(f"airflow_mlflow_provider.{module}"), name) is not None


def test_no_submodule_hides_a_root_name() -> None:
    package = airflow_mlflow_provider.__path__[0]
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "import pkgutil, sys; print(*(m.name for m in pkgutil.iter_modules([sys.argv[1]])))",
            package,
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    assert set(found.stdout.split()) & (set(ROOT) - {"cards"}) == set()


def test_importing_all_names_imports_no_airflow() -> None:
    code = (
        "import sys\nfrom airflow_mlflow_provider import *\nimport airflow_mlflow_provider.runner\n"
        "sys.exit(any(name.split('.')[0] == 'airflow' for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
