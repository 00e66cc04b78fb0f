"""For tests: of flows, and of what extends this package.

``store.StoreConformance`` for stores, ``serializers.SerializerConformance`` for artifact serializers. They need pytest.
``run_flow`` runs a flow in a test.
"""

from airflow_mlflow_provider.testing.flows import run_flow

__all__ = ["run_flow"]
