"""The client of Airflow's REST API, against servers that lose answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from airflow_mlflow_provider.deploy import rest
from airflow_mlflow_provider.deploy.rest import AirflowRest
from airflow_mlflow_provider.exception import AirflowApiError

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\n" + b'{"id": "dag"}'


class LossyServer:
    """Takes requests, and closes the connections of the first ones without an answer."""

    def __init__(self, lost: int) -> None:
        self.requests = 0
        self._lost = lost
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                if not connection.recv(65536):
                    return
                self.requests += 1
                if self.requests > self._lost:
                    connection.sendall(ANSWER)

    def stop(self) -> None:
        """End the thread with a connection that says nothing."""
        socket.create_connection(self._listener.getsockname()).close()
        self._thread.join()
        self._listener.close()


@pytest.fixture
def lossy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[LossyServer]:
    """A server that loses as many answers as the parameter says; no pauses between the requests."""
    monkeypatch.setattr(rest, "_PAUSES_SECONDS", (0.0, 0.0))
    server = LossyServer(request.param)
    yield server
    server.stop()


@pytest.mark.parametrize("lossy", [2], indirect=True)
def test_a_lost_answer_to_a_question_is_asked_for_again(lossy: LossyServer) -> None:
    client = AirflowRest(lossy.url, token="token")
    assert client.dag("dag") == {"id": "dag"}
    assert lossy.requests == 3


@pytest.mark.parametrize("lossy", [9], indirect=True)
def test_a_server_that_never_answers_is_an_error_that_names_it(lossy: LossyServer) -> None:
    with pytest.raises(AirflowApiError, match=lossy.url):
        AirflowRest(lossy.url, token="token").dag("dag")
    assert lossy.requests == 3


@pytest.mark.parametrize("lossy", [1], indirect=True)
def test_an_order_whose_answer_was_lost_is_not_given_twice(lossy: LossyServer) -> None:
    with pytest.raises(AirflowApiError, match="POST"):
        AirflowRest(lossy.url, token="token").trigger("dag", "run", {})
    assert lossy.requests == 1
