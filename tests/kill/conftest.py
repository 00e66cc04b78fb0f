"""The Airflow whose steps are pods is the one of the parity tests."""

from tests.parity.conftest import live_airflow_pods, pod_cluster

__all__ = ["live_airflow_pods", "pod_cluster"]
