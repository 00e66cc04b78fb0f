"""The server as a process: HTTPS, images, and an end that leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from kubernetes import client, config

from tests.kubernetes_standin import Image, KubernetesStandin
from tests.kubernetes_standin.settings import PROJECT_ROOT
from tests.kubernetes_standin_tests.pods import Pods, close, execute, pod_body, shell, terminated, wait_until


def connect(standin: KubernetesStandin) -> Any:
    return client.CoreV1Api(config.new_client_from_config(str(standin.kubeconfig)))


def container_processes(standin: KubernetesStandin) -> list[psutil.Process]:
    """The server's descendants."""
    return psutil.Process(standin.pid).children(recursive=True)


def test_https_and_images_are_configurable(tmp_path: Path) -> None:
    tools = tmp_path / "image" / "bin"
    tools.mkdir(parents=True)
    (tools / "train").write_text("#!/bin/sh\necho trained with $MODE $*\n")
    (tools / "train").chmod(0o755)
    image = Image(
        "example/*",
        path=f"{tools}:/usr/bin:/bin",
        environment={"MODE": "gpu"},
        entrypoint=("train",),
        expose=(str(tools),),
    )
    with KubernetesStandin(tmp_path / "standin", tls=True, images=[image]) as standin:
        assert standin.url.startswith("https://")
        core = connect(standin)
        body = pod_body(image="example/trainer:1", args=["fast"])
        del body["spec"]["containers"][0]["command"]
        pods = Pods(core)
        assert pods.run(body).status.phase == "Succeeded"
        assert pods.log() == "trained with gpu fast\n"
        assert (
            "BEGIN CERTIFICATE"
            in core.read_namespaced_config_map("kube-root-ca.crt", "default").data["ca.crt"]
        )
        close(core.api_client)


def test_containers_end_with_a_server_that_is_stopped(tmp_path: Path) -> None:
    standin = KubernetesStandin(tmp_path).start()
    core = connect(standin)
    core.create_namespaced_pod("default", pod_body("pod", "sh", "-c", "trap '' TERM; sleep 60 & sleep 60"))
    Pods(core).running()
    processes = container_processes(standin)
    close(core.api_client)
    standin.stop()
    assert processes
    assert not any(process.is_running() for process in processes)


def test_containers_end_with_a_server_that_is_killed(tmp_path: Path) -> None:
    standin = KubernetesStandin(tmp_path).start()
    core = connect(standin)
    core.create_namespaced_pod("default", pod_body("pod", "sh", "-c", "sleep 60 & sleep 60"))
    Pods(core).running()
    processes = container_processes(standin)
    close(core.api_client)
    os.kill(standin.pid, signal.SIGKILL)
    wait_until("the end of the containers", lambda: not any(_alive(process) for process in processes))
    standin.discard()


def test_users_of_a_machine_may_use_user_namespaces(tmp_path: Path) -> None:
    with KubernetesStandin(tmp_path, isolation="user") as standin:
        core = connect(standin)
        pods = Pods(core)
        body = shell("cat /proc/1/comm; touch /data/file /new; ls /data")
        body["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
        body["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        assert pods.run(body).status.phase == "Succeeded", pods.get().status
        assert pods.log() == "sh\nfile\n"
        assert execute(pods_running(pods), "cat", "/proc/1/comm", name="busy").read_stdout() == "sleep\n"
        close(core.api_client)
    assert not Path("/new").exists()


def pods_running(pods: Pods) -> Pods:
    """With a pod ``busy`` that runs."""
    pods.create(pod_body("busy", "sleep", "60"))
    pods.running("busy")
    return pods


def test_without_namespaces_only_pods_without_volumes_run(tmp_path: Path) -> None:
    with KubernetesStandin(tmp_path, isolation="none") as standin:
        core = connect(standin)
        pods = Pods(core)
        assert pods.run(shell("sleep 60 & echo hello", "plain")).status.phase == "Succeeded"
        assert pods.log("plain") == "hello\n"
        assert container_processes(standin) == []
        body = pod_body("volume")
        body["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
        body["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        assert "permits no mount namespaces" in terminated(pods.run(body)).message
        close(core.api_client)


def test_a_server_ends_with_the_test_run_that_started_it(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tests.kubernetes_standin import KubernetesStandin\n"
        "standin = KubernetesStandin(Path(sys.argv[1])).start(); print(standin.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT_ROOT) as starter:
        assert starter.stdout is not None
        server = psutil.Process(int(starter.stdout.readline()))
        starter.kill()
    wait_until("the end of the server", lambda: not _alive(server))


def _alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
