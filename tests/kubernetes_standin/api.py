"""The HTTP face of the API: who asks, what for, and the answer."""

from __future__ import annotations

import base64
import binascii
import json
import traceback
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from tests.kubernetes_standin import discovery, patches, schema, streams
from tests.kubernetes_standin.chaos import SeenRequest
from tests.kubernetes_standin.cluster import Cluster
from tests.kubernetes_standin.query import flag, number
from tests.kubernetes_standin.registry import RETURNS_DELETED
from tests.kubernetes_standin.resources import JOBS, Resource
from tests.kubernetes_standin.selectors import Predicate, fields, labels
from tests.kubernetes_standin.status import (
    ApiError,
    Json,
    bad_request,
    forbidden,
    gone,
    unauthorized,
    unknown_path,
    unsupported_media_type,
)
from tests.kubernetes_standin.target import Target, parse

ADMIN_USER = "standin-admin"
BODY_TYPES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
ORPHAN_WARNING = (
    '299 - "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove '
    'them or set propagationPolicy=Orphan to suppress this warning"'
)


class Api:
    """Answers every request below ``/api``, ``/apis``, ``/version`` and the health checks."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    async def __call__(self, request: Request) -> Response:
        """The answer; errors become ``Status`` objects, faults of the stand-in itself become a 500."""
        seen: Json = {"verb": "", "resource": "", "user": "", "body": None}
        try:
            response = await self._answer(request, seen)
        except ApiError as error:
            response = JSONResponse(error.body(), error.code, error.headers)
        except Exception:  # noqa: BLE001  (reported to the test that runs the stand-in, and to the client)
            self.cluster.kubelet.report_fault(traceback.format_exc())
            message = "Internal error occurred: a fault of the stand-in, see its error output"
            response = JSONResponse(ApiError(500, "InternalError", message).body(), 500)
        self.cluster.chaos.requests.append(
            SeenRequest(
                method=request.method,
                path=request.url.path,
                query=dict(request.query_params),
                code=response.status_code,
                **seen,
            )
        )
        return response

    async def _answer(self, request: Request, seen: Json) -> Response:
        path = request.url.path.rstrip("/")
        if path in ("/healthz", "/livez", "/readyz"):
            return PlainTextResponse("ok")
        seen["user"] = user = self.authenticate(request.headers.get("authorization", ""))
        document = discovery.document(path)
        if document is not None:
            return JSONResponse(document)
        if not path.startswith(("/api/", "/apis/")):
            raise unknown_path()
        _demand_acceptable(request.headers.get("accept", ""))
        target = parse(path)
        query = request.query_params
        verb = target.verb(request.method, watch=flag(query.get("watch")))
        seen.update(verb=verb, resource=_full_name(target))
        authorize(user, verb, target)
        self.cluster.chaos.raise_fault(verb, _full_name(target))
        seen["body"] = body = await _read_body(request, verb)
        return await self._perform(target, verb, body, request)

    def authenticate(self, header: str) -> str:
        """The user of an ``Authorization`` header. Raises ``ApiError`` 401."""
        scheme, _, token = header.partition(" ")
        user = self.cluster.user(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise unauthorized()
        return user

    async def _perform(self, target: Target, verb: str, body: Any, request: Request) -> Response:
        if target.subresource == "log":
            return await streams.log_response(self.cluster, target, dict(request.query_params))
        if target.subresource == "exec":
            raise bad_request("Upgrade request required")
        if verb in ("list", "watch", "deletecollection"):
            return self._perform_on_collection(target, verb, request)
        resource, namespace, name = target.resource, target.namespace, target.name
        registry, dry_run = self.cluster.registry, _dry_run(request)
        if verb == "get":
            return JSONResponse(self.cluster.store.get(resource, namespace, name))
        if verb == "create":
            return JSONResponse(registry.create(resource, namespace, body, dry_run=dry_run), 201)
        if verb == "update":
            return JSONResponse(registry.update(resource, namespace, name, body, dry_run=dry_run))
        if verb == "patch":
            content_type = request.headers.get("content-type", "").partition(";")[0].strip()
            patched = patches.apply(self.cluster.store.get(resource, namespace, name), body, content_type)
            return JSONResponse(registry.update(resource, namespace, name, patched, dry_run=dry_run))
        return self._delete(target, _delete_options(body, request))

    def _delete(self, target: Target, options: Json) -> Response:
        deleted = self.cluster.registry.delete(target.resource, target.namespace, target.name, options)
        headers = {}
        if target.resource is JOBS and not options.get("propagationPolicy"):
            headers["Warning"] = ORPHAN_WARNING
        if target.resource.plural in RETURNS_DELETED or deleted["metadata"].get("deletionTimestamp"):
            return JSONResponse(deleted, headers=headers)
        details = {"name": target.name, "kind": target.resource.plural, "uid": deleted["metadata"]["uid"]}
        if target.resource.group:
            details["group"] = target.resource.group
        return JSONResponse(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details},
            headers=headers,
        )

    def _perform_on_collection(self, target: Target, verb: str, request: Request) -> Response:
        resource, namespace, query = target.resource, target.namespace, request.query_params
        selected = selection(resource, query.get("labelSelector") or "", query.get("fieldSelector") or "")
        if verb == "watch":
            since = _version(query.get("resourceVersion"))
            seconds = number(query.get("timeoutSeconds"), "timeoutSeconds")
            events = self.cluster.store.watch(resource, namespace, selected, since, seconds)
            body = streams.reported(self.cluster, streams.watch_body(events))
            return StreamingResponse(body, media_type="application/json")
        items = self.cluster.store.select(resource, namespace, selected)
        if verb == "deletecollection":
            options = _delete_options(None, request)
            for item in items:
                self.cluster.registry.delete(resource, namespace, item["metadata"]["name"], options)
        return JSONResponse(_list(resource, items, self.cluster.store.version, request))


def authorize(user: str, verb: str, target: Target) -> None:
    """The administrator may do everything, everybody else nothing. Raises ``ApiError`` 403."""
    if user == ADMIN_USER:
        return
    where = f' in the namespace "{target.namespace}"' if target.namespace else " at the cluster scope"
    why = f'User "{user}" cannot {verb} resource "{_full_name(target)}" in API group "{target.resource.group}"{where}'
    raise forbidden(target.resource.plural, target.resource.group, target.name, why)


def _full_name(target: Target) -> str:
    return f"{target.resource.plural}/{target.subresource}" if target.subresource else target.resource.plural


def selection(resource: Resource, label_selector: str, field_selector: str) -> Predicate:
    """Both selectors as one predicate. Raises ``ApiError`` 400."""
    by_label = labels(label_selector)
    by_field = fields(field_selector, resource.selectable_fields)
    return lambda item: by_label(item) and by_field(item)


def _demand_acceptable(accept: str) -> None:
    kinds = [kind.partition(";")[0].strip() for kind in accept.split(",")]
    if accept and not any(
        kind in ("*/*", "application/*", "application/json", "text/plain") for kind in kinds
    ):
        message = "only the following media types are accepted: application/json"
        raise ApiError(406, "NotAcceptable", message)


async def _read_body(request: Request, verb: str) -> Any:
    """The decoded body of a request that has one. Raises ``ApiError`` 400 and 415."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if verb == "patch":
        if content_type not in patches.ACCEPTED:
            raise unsupported_media_type(patches.ACCEPTED)
        return schema.decode_json(await request.body())
    if verb not in ("create", "update", "delete"):
        return None
    text = await request.body()
    if not text:
        if verb == "delete":
            return None
        raise bad_request("the body of the request is empty")
    if content_type in ("application/yaml", "application/x-yaml"):
        return yaml.safe_load(text)
    if content_type not in ("", "application/json"):
        raise unsupported_media_type(BODY_TYPES)
    return schema.decode_json(text)


def _dry_run(request: Request) -> bool:
    value = request.query_params.get("dryRun")
    if value not in (None, "", "All"):
        raise bad_request(f'Invalid value: "{value}": dryRun must be All')
    return value == "All"


def _delete_options(body: Any, request: Request) -> Json:
    """Body and query parameters of a DELETE; the body wins."""
    options: Json = {}
    grace = number(request.query_params.get("gracePeriodSeconds"), "gracePeriodSeconds")
    if grace is not None:
        options["gracePeriodSeconds"] = int(grace)
    if request.query_params.get("propagationPolicy"):
        options["propagationPolicy"] = request.query_params["propagationPolicy"]
    if request.query_params.get("orphanDependents"):
        options["orphanDependents"] = flag(request.query_params["orphanDependents"])
    if _dry_run(request):
        options["dryRun"] = ["All"]
    if body is not None:
        schema.check_body(body, "DeleteOptions", "v1", "V1DeleteOptions")
        options.update({key: value for key, value in body.items() if value is not None})
    policy = options.get("propagationPolicy")
    if policy not in (None, "Orphan", "Background", "Foreground"):
        raise bad_request(f'invalid deletion propagation policy "{policy}"')
    return options


def _list(resource: Resource, items: list[Json], version: int, request: Request) -> Json:
    """A ``List``, one page of it when the client set a limit; items carry no kind, as from a real server."""
    query = request.query_params
    start = _decode_continue(query["continue"]) if query.get("continue") else 0
    limit = int(number(query.get("limit"), "limit") or 0)
    end = start + limit if limit else len(items)
    metadata: Json = {"resourceVersion": str(version)}
    if end < len(items):
        metadata["continue"] = base64.urlsafe_b64encode(json.dumps({"start": end}).encode()).decode()
        metadata["remainingItemCount"] = len(items) - end
    bare = [
        {key: value for key, value in item.items() if key not in ("kind", "apiVersion")}
        for item in items[start:end]
    ]
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": metadata,
        "items": bare,
    }


def _decode_continue(token: str) -> int:
    try:
        return int(json.loads(base64.urlsafe_b64decode(token))["start"])
    except (binascii.Error, ValueError, KeyError) as error:
        raise gone("The provided continue parameter is too old or malformed") from error


def _version(text: str | None) -> int | None:
    """None: begin with what there is."""
    if text in (None, "", "0"):
        return None
    try:
        return int(str(text))
    except ValueError as error:
        raise bad_request(
            f'Invalid value: "{text}": resourceVersion: strconv.ParseUint: invalid syntax'
        ) from error
