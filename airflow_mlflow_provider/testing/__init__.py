"""Test suites for those who extend this package.

``store.StoreConformance`` for stores, ``serializers.SerializerConformance`` for artifact serializers. They need pytest.
"""
