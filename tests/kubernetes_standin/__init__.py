"""A strict stand-in for a Kubernetes API server that runs pods as local processes. See README.md."""

from tests.kubernetes_standin.fixture import AdminClient, KubernetesStandin, StandinFault
from tests.kubernetes_standin.settings import Image

__all__ = ["AdminClient", "Image", "KubernetesStandin", "StandinFault"]
