"""The chart as Helm renders it, checked against Kubernetes' own schemas, the settings, and the table of ways."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from neopain.bootstrap.chart import NOT_FOR_A_CLUSTER, WRITTEN_BY_THE_CHART, schema_file, schema_text
from neopain.bootstrap.configuration import SETTINGS
from neopain.bootstrap.services import STARTS
from neopain.runtime.metrics import METRICS

from .conftest import CHART, FILES, NEWEST, OLDEST, ROOT, Helm, Object, Render, containers_of, of_kind, pod_specs

SIZES = tuple(FILES)
OPERATOR = "monitoring.coreos.com/v1"
NOT_IN_THE_CHART = {("simulator", "ward")}
"""Its infants would need a device API without TLS and credentials, and nothing of them would be charted."""
ENDS_BY_ITSELF = {"charting-migrate", "charting-retention"}
OF_KUBERNETES = {"BUS_PASSWORD", "MEDIA_PASSWORD", "POD_NAME"}
"""Variables that no process reads: others are composed of them."""
OF_OPENSSL = {"SSL_CERT_FILE"}
DOORS = {"ingest-hl7", "ingest-device", "ingest-dicom", "charting-api", "dashboard"}


@pytest.mark.parametrize("size", SIZES)
def test_helm_finds_nothing_to_say_about_the_chart(helm: Helm, size: str) -> None:
    values = [part for name in FILES[size] for part in ("-f", name)]
    done = helm("lint", "--strict", ".", *values)
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout


@pytest.fixture(scope="module", autouse=True)
def schemas_in_memory() -> Iterator[None]:
    """Kubernetes' schemas are read once, not for each object."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))
        yield


@pytest.mark.parametrize("kubernetes", [OLDEST, NEWEST])
def test_kubernetes_knows_every_field(render: Render, kubernetes: str) -> None:
    different = {json.dumps(one): one for size in SIZES for one in render(size, kubernetes=kubernetes)}
    for one in different.values():
        if one["apiVersion"] != OPERATOR:
            kubernetes_validate.validate(one, kubernetes, strict=True)
    assert len(different) > 80


def test_a_misspelt_field_would_be_found(render: Render) -> None:
    misspelt = {**of_kind(render("ward"), "Deployment")["ingest-hl7"], "specs": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(misspelt, NEWEST, strict=True)


def test_an_older_kubernetes_is_refused(helm: Helm) -> None:
    done = helm("template", "neopain", ".", "--kube-version", "1.29.9", "-f", "values-ward.yaml")
    assert "chart requires kubeVersion: >=1.30.0-0" in done.stderr


def test_every_process_of_every_service_is_in_the_chart(render: Render) -> None:
    started = {
        tuple(container["command"][3:])
        for component, pod in pod_specs(render("ward")).items()
        for container in containers_of(pod)
        if container["command"][:3] == ["python", "-m", "neopain"] and component != "charting-retention"
    }
    assert started == set(STARTS) - NOT_IN_THE_CHART


@pytest.mark.parametrize("size", SIZES)
def test_every_variable_is_a_setting(render: Render, size: str) -> None:
    known = {
        f"{kind.model_config.get('env_prefix', '')}{name.upper()}" for kind in SETTINGS for name in kind.model_fields
    }
    for component, pod in pod_specs(render(size)).items():
        for container in containers_of(pod):
            if container["name"] == "valkey":
                continue
            names = [variable["name"] for variable in container["env"]]
            assert set(names) <= known | OF_KUBERNETES | OF_OPENSSL, component
            assert len(names) == len(set(names)), f"{component} is told something twice"


def test_the_api_goes_by_the_policy_that_the_consumer_goes_by(render: Render) -> None:
    pods = pod_specs(render("ward", "--set", r"files.charting-policy\.toml=a"))
    read = {
        component: [
            one["value"] for one in containers_of(pods[component])[0]["env"] if one["name"].endswith("POLICY_FILE")
        ]
        for component in ("charting-consumer", "charting-api")
    }
    there = {"charting-consumer", "charting-api"} & {
        component
        for component, pod in pods.items()
        if any(one["name"] == "site" for one in containers_of(pod)[0]["volumeMounts"])
    }
    assert read == {component: ["/etc/neopain/site/charting-policy.toml"] for component in there}


def test_what_the_chart_writes_itself_is_a_setting_that_it_writes(render: Render) -> None:
    more = [
        "--set",
        "charting.api.tlsSecret=,charting.api.behindTlsProxy=true",
        "--set",
        "charting.delivery.tlsSecret=a",
    ]
    more += ["--set", "ingest.hl7.clientCertificates=true,ingest.device.clientCertificates=true"]
    more += ["--set", "ingest.dicom.clientCertificates=true,connections.ownBroker=true"]
    more += ["--set", r"files.audit-public\.pem=a,charting.retention.signingKeySecret=a"]
    more += ["--set", "networkPolicy.enabled=false", "--set", r"files.flowsheet\.toml=a,files.vital-codes\.csv=a"]
    more += ["--set", "dashboard.tlsSecret=,dashboard.behindTlsProxy=true"]
    more += ["--set", r"files.drug-codes\.csv=a,files.oracle\.toml=a", "--set", "charting.delivery.smartKeysSecret=a"]
    more += ["--set", "charting.api.subscriptionTlsSecret=a", "--set", r"files.smart-jwks\.json=a"]
    more += ["--set", "ingest.camera.finder=yunet,ingest.camera.finderConfigMap=a"]
    recorder = ["--set", "charting.delivery.channel=recorder,charting.delivery.recorderClaim=a"]
    written = {
        variable["name"]
        for objects in (render("ward"), render("ward", *more), render("ward", *recorder))
        for pod in pod_specs(objects).values()
        for container in containers_of(pod)
        for variable in container["env"]
    }
    assert written >= WRITTEN_BY_THE_CHART - {"NEOPAIN_CHARTING_CONSUMER_NAME"}
    assert not written & NOT_FOR_A_CLUSTER


def test_the_schema_knows_the_settings_of_today() -> None:
    assert schema_file().read_text() == schema_text()


REFUSED = {
    "a setting that does not exist": ("ingest.settings.SITE_ZON=UTC", "SITE_ZON"),
    "a setting that the chart writes": ("ingest.hl7.settings.HL7_PORT=1", "HL7_PORT"),
    "a value that does not exist": ("scoring.worker.replica=2", "replica is not allowed"),
    "no worker": ("scoring.worker.replicas=0", "greater than or equal to 1"),
    "an engine that does not exist": ("scoring.triton.device=gpu", "scoring.triton.device"),
    "a digest that is none": ("images.services.digest=latest", "images.services.digest"),
    "a FHIR API in the clear": ("charting.api.tlsSecret=", "in the clear"),
    "a dashboard in the clear": ("dashboard.tlsSecret=", "in the clear"),
    "a dashboard that nobody may see": ("networkPolicy.peers.browsers=null", "peers.browsers is empty"),
    "a dashboard below a path": ("dashboard.url=https://hospital.example/ward", "dashboard.url"),
    "a device API without credentials": ("ingest.device.credentialsSecret=", "credentialsSecret is empty"),
    "a DICOM door that is open to all": ("ingest.dicom.callers=null", "callers is empty"),
    "cameras without a group": ("ingest.camera.groups=null", "groups is empty"),
    "a face finder without its file": ("ingest.camera.finder=yunet", "finderConfigMap is empty"),
    "a face finder's file that nobody reads": ("ingest.camera.finderConfigMap=a", "ingest.camera.finder is none"),
    "a face finder that does not exist": ("ingest.camera.finder=haar", "ingest.camera.finder"),
    "a face finder beside the chart's": ("ingest.camera.settings.CAMERA_FINDER=yunet", "CAMERA_FINDER"),
    "a network that lets everybody in": ("networkPolicy.peers.monitors=null", "peers.monitors is empty"),
    "no secret": ("connections.existingSecret=", "existingSecret is empty"),
    "a flowsheet without rows": ("charting.delivery.channel=hl7v2-oru", "flowsheet.toml"),
    "an Oracle domain without a code": ("charting.delivery.channel=fhir-r4-oracle", "oracle.toml"),
    "a signing key that nobody could check": ("charting.retention.signingKeySecret=a", "audit-public.pem"),
    "a schedule that is none": ("charting.retention.schedule=daily", "charting.retention.schedule"),
    "a recorder without a volume": ("charting.delivery.channel=recorder", "recorderClaim is empty"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_wrong_value_is_refused_by_name(helm: Helm, what: str) -> None:
    value, told = REFUSED[what]
    done = helm("template", "neopain", ".", "--kube-version", "1.37.0", "-f", "values-ward.yaml", "--set", value)
    assert done.returncode != 0
    assert told in done.stderr


def test_every_value_says_what_it_is() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    silent = []
    for number, line in enumerate(lines):
        is_key = re.match(r" *[A-Za-z][\w.-]*:", line)
        is_part_of_one = re.match(r" *(requests|limits|runAs\w+|fsGroup\w*|seccompProfile):", line)
        if is_key and not is_part_of_one:
            before = lines[number - 1].strip()
            opens = line.rstrip().endswith(":")
            if not before.startswith("#") and not opens:
                silent.append(line.strip())
    assert silent == []


def test_whole_numbers_reach_the_settings_as_digits(render: Render) -> None:
    more = ("--set", "ingest.hl7.settings.HL7_LONGEST_MESSAGE_BYTES=4194304")
    container = pod_specs(render("ward", *more))["ingest-hl7"]["containers"][0]
    told = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert told["NEOPAIN_INGEST_HL7_LONGEST_MESSAGE_BYTES"] == "4194304"


@pytest.mark.parametrize("size", SIZES)
def test_no_pod_may_more_than_it_needs(render: Render, size: str) -> None:
    for component, pod in pod_specs(render(size)).items():
        assert pod["securityContext"]["runAsNonRoot"] is True, component
        assert pod["automountServiceAccountToken"] is False, component
        assert pod["enableServiceLinks"] is False, "NEOPAIN_INGEST_HL7_PORT would be tcp://10.0.0.1:2575"
        for container in containers_of(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"requests", "limits"} <= set(container["resources"]), component


@pytest.mark.parametrize("size", SIZES)
def test_whatever_goes_on_answers_three_probes(render: Render, size: str) -> None:
    for component, pod in pod_specs(render(size)).items():
        if component in ENDS_BY_ITSELF:
            continue
        for container in containers_of(pod):
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container), container["name"]


def test_no_secret_stands_in_the_objects(render: Render) -> None:
    for size in SIZES:
        assert of_kind(render(size), "Secret") == {}


def test_retention_runs_as_the_owner_beside_the_anchors_and_is_not_repeated_where_a_person_is_needed(
    render: Render,
) -> None:
    more = ("--set", r"charting.retention.signingKeySecret=keys,files.audit-public\.pem=a")
    spec = of_kind(render("ward", *more), "CronJob")["charting-retention"]["spec"]
    assert (spec["schedule"], spec["concurrencyPolicy"]) == ("20 3 * * *", "Forbid")
    job = spec["jobTemplate"]["spec"]
    (rule,) = job["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [2])
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"] == ["python", "-m", "neopain", "retention", "run", "--by", "retention job"]
    told = {one["name"]: one for one in container["env"]}
    assert told["NEOPAIN_CHARTING_DATABASE_URL"]["valueFrom"]["secretKeyRef"]["key"] == "migration-url"
    assert told["NEOPAIN_CHARTING_AUDIT_SIGNING_KEY"]["value"] == "/etc/neopain/audit-key/signing.pem"
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert volumes["audit-key"]["secret"]["secretName"] == "keys"
    consumer = of_kind(render("ward", *more), "StatefulSet")["charting-consumer"]
    claim = f"audit-{consumer['metadata']['name']}-0"
    assert volumes["audit"]["persistentVolumeClaim"]["claimName"] == claim
    (place,) = pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    labels = consumer["spec"]["template"]["metadata"]["labels"]
    assert place["labelSelector"]["matchLabels"].items() <= labels.items()
    assert {"name": "audit", "mountPath": "/var/lib/neopain/audit", "readOnly": True} in container["volumeMounts"]


def test_only_retention_is_given_the_key_that_signs(render: Render) -> None:
    objects = render("ward", "--set", r"charting.retention.signingKeySecret=keys,files.audit-public\.pem=a")
    given = {
        component
        for component, pod in pod_specs(objects).items()
        if any(one.get("secret", {}).get("secretName") == "keys" for one in pod.get("volumes", []))
    }
    assert given == {"charting-retention"}


def test_a_recorder_has_its_volume_and_no_way_to_an_ehr(render: Render) -> None:
    objects = render("ward", "--set", "charting.delivery.channel=recorder,charting.delivery.recorderClaim=records")
    volumes = {one["name"]: one for one in pod_specs(objects)["charting-delivery"]["volumes"]}
    assert volumes["records"]["persistentVolumeClaim"] == {"claimName": "records"}
    policy = of_kind(objects, "NetworkPolicy")["charting-delivery"]
    assert len(policy["spec"]["egress"]) == 3


def test_the_face_finders_file_lies_where_each_group_looks_for_it(render: Render) -> None:
    more = "ingest.camera.finder=yunet,ingest.camera.finderConfigMap=faces,ingest.camera.finderKey=yunet_2023mar.onnx"
    objects = render("ward", "--set", more)
    pods = pod_specs(objects)
    for component in ("ingest-camera-north", "ingest-camera-south"):
        kubernetes_validate.validate(of_kind(objects, "Deployment")[component], OLDEST, strict=True)
        (container,) = pods[component]["containers"]
        told = {one["name"]: one.get("value") for one in container["env"]}
        assert told["NEOPAIN_INGEST_CAMERA_FINDER"] == "yunet"
        assert told["NEOPAIN_INGEST_CAMERA_FINDER_MODEL"] == "/etc/neopain/finder/yunet.onnx"
        assert {"name": "finder", "mountPath": "/etc/neopain/finder", "readOnly": True} in container["volumeMounts"]
        assert next(one for one in pods[component]["volumes"] if one["name"] == "finder")["configMap"] == {
            "name": "faces",
            "items": [{"key": "yunet_2023mar.onnx", "path": "yunet.onnx"}],
        }


def test_without_a_face_finder_nothing_is_mounted_for_one(render: Render) -> None:
    pod = pod_specs(render("ward"))["ingest-camera-north"]
    assert {"name": "NEOPAIN_INGEST_CAMERA_FINDER", "value": "none"} in pod["containers"][0]["env"]
    assert "finder" not in {one["name"] for one in pod["volumes"]}


def test_a_pod_has_longer_to_end_than_its_drain(render: Render) -> None:
    pods = pod_specs(render("ward", "--set", "ingest.hl7.drainSeconds=40"))
    told = {variable["name"]: variable.get("value") for variable in pods["ingest-hl7"]["containers"][0]["env"]}
    assert told["NEOPAIN_INGEST_HL7_DRAIN_SECONDS"] == "40"
    assert pods["ingest-hl7"]["terminationGracePeriodSeconds"] == 55


def test_what_only_one_may_do_is_done_by_one(render: Render) -> None:
    objects = render("hospital") + render("ward")
    sets = of_kind(objects, "StatefulSet")
    assert {name: sets[name]["spec"]["replicas"] for name in ("bus", "charting-consumer", "ingest-dicom")} == {
        "bus": 1,
        "charting-consumer": 1,
        "ingest-dicom": 1,
    }
    camera = of_kind(objects, "Deployment")["ingest-camera-north"]["spec"]
    assert (camera["replicas"], camera["strategy"]) == (1, {"type": "Recreate"})


def test_pictures_never_touch_a_disk(render: Render) -> None:
    media = of_kind(render("ward"), "StatefulSet")["media"]["spec"]
    assert "volumeClaimTemplates" not in media
    in_memory = {
        volume["name"]: volume["emptyDir"]["medium"]
        for volume in media["template"]["spec"]["volumes"]
        if "emptyDir" in volume
    }
    assert in_memory == {"run": "Memory", "data": "Memory"}


def test_a_gpu_is_asked_for_by_one_value(render: Render) -> None:
    triton = pod_specs(render("hospital"))["scoring-worker"]["initContainers"][0]
    assert triton["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert (
        "nvidia.com/gpu"
        not in pod_specs(render("hospital-cpu"))["scoring-worker"]["initContainers"][0]["resources"]["limits"]
    )


def test_workers_of_one_pod_have_names_of_their_own(render: Render) -> None:
    workers = pod_specs(render("hospital"))["scoring-worker"]["containers"]
    names = [next(v["value"] for v in one["env"] if v["name"] == "NEOPAIN_SCORING_WORKER_NAME") for one in workers]
    assert names == [f"$(POD_NAME)-{index}" for index in range(8)]


def ways() -> list[tuple[str, str, str]]:
    """From, to and default port of the rows of docs/ways.md."""
    text = (ROOT / "docs/ways.md").read_text().partition("## Who talks to whom")[2]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return [(row[0], row[1], row[3]) for row in rows[2:]]


DOORS_OF_INGEST = {"ingest-hl7", "ingest-device", "ingest-camera-north", "ingest-camera-south", "ingest-dicom"}
SCORING = {"scoring-ticker", "scoring-worker"}
LET_IN = {
    "monitors, ADT": ("monitors", {"ingest-hl7"}, {2575}),
    "camera hosts, gateways": ("devices", {"ingest-device"}, {50051}),
    "archives, cameras": ("archives", {"ingest-dicom"}, {11112, 8443}),
    "browsers": ("browsers", {"dashboard"}, {8090}),
    "other readers": ("readers", {"charting-api"}, {8080}),
}
LET_OUT = {
    ("ingest camera", "cameras, microphones"): ("cameras", {"ingest-camera-north", "ingest-camera-south"}, {554}),
    ("charting", "PostgreSQL"): (
        "database",
        {"charting-consumer", "charting-delivery", "charting-api", "charting-migrate", "charting-retention"},
        {5432},
    ),
    ("charting delivery", "EHR"): ("ehr", {"charting-delivery"}, {443}),
    ("charting delivery", "token endpoint of the EHR"): ("ehr", {"charting-delivery"}, {443}),
    ("charting delivery", "proxy, instead of both"): ("ehr", {"charting-delivery"}, {443}),
    ("charting delivery", "flowsheet interface, instead of that"): ("ehr", {"charting-delivery"}, {443}),
    ("charting api", "endpoints of subscribers"): ("subscribers", {"charting-api"}, {443}),
    ("charting api, dashboard", "OpenID provider"): ("openid", {"charting-api", "dashboard"}, {443}),
}
WITHIN = {
    ("ingest, scoring, charting", "bus"): ("bus", DOORS_OF_INGEST | SCORING | {"charting-consumer"}, 6379),
    ("charting api, where it resolves held beds", "bus"): ("bus", {"charting-api"}, 6379),
    ("charting delivery, beat", "broker (may be the bus)"): ("bus", {"charting-delivery", "charting-beat"}, 6379),
    ("ingest, scoring", "media"): ("media", DOORS_OF_INGEST | SCORING, 6379),
    ("charting consumer", "media"): ("media", {"charting-consumer"}, 6379),
    ("dashboard", "charting api, or another FHIR server"): ("charting-api", {"dashboard"}, 8080),
}
NOT_OF_A_POLICY = {("scoring worker", "Triton"), ("orchestrator", "every service")}
"""Within the pod; and kubelets, whom network policies let through."""


def test_the_policies_are_those_of_the_table_of_ways(render: Render) -> None:
    policies = of_kind(render("ward"), "NetworkPolicy")
    peers = yaml.safe_load((CHART / "values-ward.yaml").read_text())["networkPolicy"]["peers"]
    expected_in: set[tuple[str, str, int]] = set()
    expected_out: set[tuple[str, str, int]] = set()
    for sender, receiver, _ in ways():
        if (sender, receiver) in NOT_OF_A_POLICY:
            continue
        if sender in LET_IN:
            name, components, ports = LET_IN[sender]
            expected_in |= {(component, name, port) for component in components for port in ports}
        elif (sender, receiver) in WITHIN:
            server, components, own_port = WITHIN[sender, receiver]
            expected_in |= {(server, component, own_port) for component in components}
            expected_out |= {(component, server, own_port) for component in components}
        else:
            name, components, ports = LET_OUT[sender, receiver]
            expected_out |= {(component, name, port) for component in components for port in ports}
    assert _let_through(policies, "ingress", "from", peers) == expected_in
    assert _let_through(policies, "egress", "to", peers) == expected_out


def _let_through(
    policies: dict[str, Object], direction: str, side: str, peers: dict[str, Any]
) -> set[tuple[str, str, int]]:
    """Component, peer and port of every rule but those of names and of metrics."""
    found = set()
    for component, policy in policies.items():
        for rule in policy["spec"][direction] or []:
            assert rule[side], f"{component} lets everybody through"
            for port in rule["ports"]:
                for name in _names(rule[side], peers):
                    found.add((component, name, port["port"]))
    return {one for one in found if one[1] not in ("dns", "monitoring")}


def _names(told: list[Object], peers: dict[str, Any]) -> list[str]:
    expressions = told[0].get("podSelector", {}).get("matchExpressions")
    if expressions:
        return list(expressions[0]["values"])
    known = {**peers, "dns": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}]}
    return [name for name, listed in known.items() if listed == told][:1]


def test_the_ways_default_ports_are_the_charts() -> None:
    ports = {row[0]: row[2] for row in ways()}
    assert (ports["monitors, ADT"], ports["camera hosts, gateways"]) == ("2575", "50051")


@pytest.mark.parametrize("size", SIZES)
def test_every_workload_has_a_policy(render: Render, size: str) -> None:
    objects = render(size)
    assert set(of_kind(objects, "NetworkPolicy")) == set(pod_specs(objects))


def test_alerts_speak_of_metrics_that_exist_and_are_explained(render: Render) -> None:
    rules = next(one for one in render("ward") if one["kind"] == "PrometheusRule")["spec"]["groups"][0]["rules"]
    exposed = {f"neopain_{spec.name}": set(spec.labels) for spec in METRICS}
    page = (ROOT / "docs/operations.md").read_text()
    for rule in rules:
        used = re.findall(r"(neopain_\w+)(?:\{(\w+)=)?", rule["expr"])
        assert used, rule["alert"]
        for name, label in used:
            labels = exposed[name.removesuffix("_bucket")]
            assert not label or label in labels
        assert f"| `{rule['alert']}` |" in page


def test_the_first_of_its_kind_is_told_of(render: Render) -> None:
    """A labelled counter has no 0 before its first: an increase alone would say nothing of that one."""
    rules = next(one for one in render("ward") if one["kind"] == "PrometheusRule")["spec"]["groups"][0]["rules"]
    told_at_once = [
        one for one in rules if "increase(" in one["expr"] and one["expr"].endswith("> 0") and "for" not in one
    ]
    assert len(told_at_once) >= 4
    for rule in told_at_once:
        (metric, span), *_ = re.findall(r"increase\((.*?)\[(\w+)\]\)", rule["expr"])
        assert f"or ({metric} unless {metric} offset {span})" in rule["expr"], rule["alert"]


def test_the_page_has_messages_replayed_where_the_listeners_settings_are(render: Render) -> None:
    page = (ROOT / "docs/operations.md").read_text()
    named = re.findall(r"exec \w+/neopain-(\S+) -- python -m neopain dead-letters replay", page)
    assert named
    pods = pod_specs(render("ward"))
    for component in named:
        told = {one["name"]: one.get("value") for one in containers_of(pods[component])[0]["env"]}
        assert (told["NEOPAIN_INGEST_SITE_ZONE"], told["NEOPAIN_INGEST_HL7_DEFAULT_FACILITY"]) == (
            "Europe/Berlin",
            "EAST",
        )
        assert "NEOPAIN_INGEST_HL7_SOURCES" in told


def test_doors_keep_serving_until_balancers_have_learnt(render: Render) -> None:
    pods = pod_specs(render("ward"))
    assert {name for name, pod in pods.items() if "lifecycle" in pod["containers"][0]} == DOORS


def test_budgets_never_keep_a_node_from_being_drained(render: Render) -> None:
    for size in SIZES:
        objects = render(size)
        replicas = {
            one["metadata"]["name"].removeprefix("neopain-"): one["spec"].get("replicas", 2)
            for one in objects
            if one["kind"] in ("Deployment", "StatefulSet")
        }
        assert all(replicas[name] > 1 for name in of_kind(objects, "PodDisruptionBudget"))
