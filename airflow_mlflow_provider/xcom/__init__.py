"""XComs as content-addressed values in the artifact store; set ``[core] xcom_backend`` to the class in ``artifact_store``."""
