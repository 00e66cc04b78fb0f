"""The components of cards."""

from airflow_mlflow_provider.cards.components.artifact import Artifact
from airflow_mlflow_provider.cards.components.chart import VegaChart
from airflow_mlflow_provider.cards.components.data import JSONViewer, YAMLViewer
from airflow_mlflow_provider.cards.components.image import Image
from airflow_mlflow_provider.cards.components.numbers import ProgressBar, ValueBox
from airflow_mlflow_provider.cards.components.table import Table
from airflow_mlflow_provider.cards.components.text import Error, Markdown, PageComponent, PythonCode
from airflow_mlflow_provider.cards.components.timeline import EventsTimeline

__all__ = [
    "Artifact",
    "Error",
    "EventsTimeline",
    "Image",
    "JSONViewer",
    "Markdown",
    "PageComponent",
    "ProgressBar",
    "PythonCode",
    "Table",
    "ValueBox",
    "VegaChart",
    "YAMLViewer",
]
