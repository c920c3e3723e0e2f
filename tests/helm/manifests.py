#!/usr/bin/env python3
"""Questions about rendered manifests (on the standard input, or in the files named):

  data KIND NAME KEY          an entry of a ConfigMap
  secret NAME KEY             an entry of a Secret
  rules                       the groups of the PrometheusRule, as a file of Prometheus's
  queries DASHBOARD           the dashboard's queries, as a file of Prometheus's rules
  test-env FOLDER             the environment of the pod of `helm test`, its secrets' folders moved to FOLDER
  whole FILE                  mounts have volumes, selectors match, files that the configuration names are mounted
  restricted FILE             every pod keeps the Restricted Pod Security Standard
  same BEFORE AFTER           no secret, selector or claim differs
  secrets FILE                the names of the Secrets that pods mount
  sentences TEMPLATE REFUSALS every sentence that the template fails with is in REFUSALS
  metrics DIR PRINTED         every metric that the chart's alerts and dashboard name is in PRINTED
"""

import base64
import json
import pathlib
import re
import sys

import yaml


class Once(yaml.SafeLoader):
    """A key that stands twice is a mistake, of which the last would win."""

    def construct_mapping(self, node, deep=False):
        names = [k.value for k, _ in node.value]
        if len(set(names)) < len(names):
            raise SystemExit(f"manifests: a key stands twice{node.start_mark}: {sorted(names)}")
        return super().construct_mapping(node, deep)


def documents(text):
    return [d for d in yaml.load_all(text, Once) if d]


def load(path):
    return documents(pathlib.Path(path).read_text())


def pick(docs, kind, name=None):
    found = [d for d in docs if d["kind"] == kind and name in (None, d["metadata"]["name"])]
    if len(found) != 1:
        raise SystemExit(f"manifests: {len(found)} objects {kind} {name or ''}")
    return found[0]


def pods(docs):
    """(object, metadata, pod spec) of whatever runs."""
    for doc in docs:
        if doc["kind"] == "Pod":
            yield doc, doc["metadata"], doc["spec"]
        elif doc["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield doc, doc["spec"]["template"].get("metadata", {}), doc["spec"]["template"]["spec"]


def ours(spec):
    """Containers of the chart's own: not those that values add."""
    return [c for c in spec["containers"] if c["name"] in ("latchkeyd", "redis", "setup", "test")]


def complain(problems):
    for problem in problems:
        print(f"manifests: {problem}", file=sys.stderr)
    return 1 if problems else 0


def data(kind, name, key):
    sys.stdout.write(pick(documents(sys.stdin.read()), kind, name)["data"][key])


def secret(name, key):
    sys.stdout.buffer.write(base64.b64decode(pick(documents(sys.stdin.read()), "Secret", name)["data"][key]))


def rules():
    yaml.safe_dump(pick(documents(sys.stdin.read()), "PrometheusRule")["spec"], sys.stdout, sort_keys=False)


def queries(dashboard):
    found, variables = [], {"$__rate_interval": "5m", "$namespace": "ns"}
    for panel in json.loads(pathlib.Path(dashboard).read_text())["panels"]:
        for target in panel.get("targets", []):
            expr = target["expr"]
            for name, value in variables.items():
                expr = expr.replace(name, value)
            found.append({"record": f"query:{len(found)}", "expr": expr, "labels": {"panel": panel["title"]}})
    yaml.safe_dump({"groups": [{"name": "dashboard", "rules": found}]}, sys.stdout)


def test_env(folder):
    pod = next(p for p in documents(sys.stdin.read()) if p["kind"] == "Pod")
    for env in pod["spec"]["containers"][0]["env"]:
        print(f"{env['name']}={env['value'].replace('/etc/latchkey-test', folder)}")


def config_paths(value):
    if isinstance(value, dict):
        for inner in value.values():
            yield from config_paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from config_paths(inner)
    elif isinstance(value, str) and value.startswith("/"):
        yield value


def mounted_files(spec, container):
    """Folder and names of what each mount shows; None: anything."""
    volumes = {v["name"]: v for v in spec.get("volumes", [])}
    for mount in container.get("volumeMounts", []):
        volume = volumes.get(mount["name"], {})
        sources = [volume.get("secret")] + [s.get("secret") for s in volume.get("projected", {}).get("sources", [])]
        items = [i["path"] for s in sources if s for i in s["items"]]
        yield mount["mountPath"], items or None


def is_mounted(path, mounts):
    for folder, names in mounts:
        if path.startswith(folder + "/") and (names is None or path[len(folder) + 1 :] in names):
            return True
    return False


# A pod's label holds the StatefulSet's name and 11 characters more; other names end as labels, too.
NAME_MAX = {"StatefulSet": 52}


def whole(path):
    docs, problems = load(path), []
    for doc in docs:
        if len(doc["metadata"]["name"]) > NAME_MAX.get(doc["kind"], 63):
            problems.append(f"{doc['kind']} {doc['metadata']['name']}: its name is too long")
    labels = [m.get("labels", {}) for _, m, _ in pods(docs)]
    for doc, meta, spec in pods(docs):
        name = f"{doc['kind']} {doc['metadata']['name']}"
        claims = [c["metadata"]["name"] for c in doc["spec"].get("volumeClaimTemplates", [])]
        volumes = {v["name"] for v in spec.get("volumes", [])} | set(claims)
        for container in spec["containers"]:
            mounts = {m["name"] for m in container.get("volumeMounts", [])}
            problems += [f"{name}: mount {m} has no volume" for m in mounts - volumes]
        selector = doc["spec"].get("selector", {}).get("matchLabels")
        if selector and not selector.items() <= meta["labels"].items():
            problems.append(f"{name}: its selector is not in its pods' labels")
    for doc in docs:
        selector = doc["spec"].get("selector") if doc["kind"] == "Service" else None
        selector = doc["spec"]["podSelector"]["matchLabels"] if doc["kind"] == "NetworkPolicy" else selector
        selector = doc["spec"]["selector"]["matchLabels"] if doc["kind"] == "PodDisruptionBudget" else selector
        if selector and not any(selector.items() <= l.items() for l in labels):
            problems.append(f"{doc['kind']} {doc['metadata']['name']}: selects no pod")
    deployment = pick(docs, "Deployment")["spec"]["template"]["spec"]
    mounts = list(mounted_files(deployment, deployment["containers"][0]))
    name = next(v for v in deployment["volumes"] if v["name"] == "config")["configMap"]["name"]
    config = yaml.safe_load(pick(docs, "ConfigMap", name)["data"]["latchkeyd.yaml"])
    # Without the embedded Redis nothing is kept there.
    if not config["redis"]["url"].startswith("embedded"):
        del config["state_dir"]
    problems += [f"{p} is in the configuration and not mounted" for p in config_paths(config) if not is_mounted(p, mounts)]
    return complain(problems)


def secrets(path):
    names = set()
    for _, _, spec in pods(load(path)):
        for volume in spec.get("volumes", []):
            sources = [volume] + volume.get("projected", {}).get("sources", [])
            names |= {s["secret"].get("secretName") or s["secret"].get("name") for s in sources if "secret" in s}
    print("\n".join(sorted(names)))


def restricted(path):
    problems = []
    for doc, _, spec in pods(load(path)):
        name, pod = f"{doc['kind']} {doc['metadata']['name']}", spec.get("securityContext", {})
        wanted = {
            "runAsNonRoot": pod.get("runAsNonRoot") is True,
            "runAsUser": pod.get("runAsUser", 0) > 0,
            "seccompProfile": pod.get("seccompProfile", {}).get("type") == "RuntimeDefault",
            "no token": spec.get("automountServiceAccountToken") is False,
            "no service links": spec.get("enableServiceLinks") is False,
            "no host": not any(spec.get(k) for k in ("hostNetwork", "hostPID", "hostIPC")),
        }
        for container in ours(spec):
            own = container.get("securityContext", {})
            wanted |= {
                "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
                "drop ALL": own.get("capabilities", {}).get("drop") == ["ALL"],
                "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
                "memory limit": "memory" in container.get("resources", {}).get("limits", {}),
                "no host port": not any("hostPort" in p for p in container.get("ports", [])),
            }
        kinds = {k for v in spec.get("volumes", []) for k in v if k != "name"}
        wanted["volumes"] = kinds <= {"configMap", "secret", "projected", "emptyDir", "persistentVolumeClaim"}
        problems += [f"{name}: not restricted: {what}" for what, kept in wanted.items() if not kept]
    return complain(problems)


# What Kubernetes does not let an upgrade change, or what would be lost.
FIXED = {
    "Secret": lambda d: d["data"],
    "Service": lambda d: (d["spec"]["selector"], d["spec"].get("clusterIP")),
    "Deployment": lambda d: d["spec"]["selector"],
    "StatefulSet": lambda d: (
        d["spec"]["selector"],
        d["spec"]["serviceName"],
        d["spec"]["podManagementPolicy"],
        d["spec"].get("volumeClaimTemplates"),
    ),
    "PodDisruptionBudget": lambda d: d["spec"]["selector"],
    "NetworkPolicy": lambda d: d["spec"]["podSelector"],
    "PersistentVolumeClaim": lambda d: d["spec"],
}


def fixed(docs):
    found = {}
    for doc in docs:
        if doc["kind"] in FIXED:
            found[doc["kind"], doc["metadata"]["name"]] = json.dumps(FIXED[doc["kind"]](doc))
        # A job's template never changes: a changed one has another name.
        if doc["kind"] == "Job":
            found["Job", doc["metadata"]["name"]] = json.dumps(doc["spec"])
    return found


def same(before, after):
    a, b = fixed(load(before)), fixed(load(after))
    problems = [f"{k[0]} {k[1]} is another after the upgrade" for k in a if k in b and a[k] != b[k]]
    problems += [f"{k[0]} {k[1]} is gone after the upgrade" for k in a if k not in b and k[0] != "Job"]
    if not a:
        problems.append("nothing to compare")
    return complain(problems)


def sentences(template, refusals):
    said, problems = pathlib.Path(refusals).read_text(), []
    found = re.findall(r'\bfail (?:\(printf )?"((?:[^"\\]|\\.)*)"', pathlib.Path(template).read_text())
    for sentence in found:
        # The longest part that no value goes into.
        if max(re.split(r"%[-.0-9]*[a-z]", sentence), key=len).strip() not in said:
            problems.append(f"nothing is refused with: {sentence}")
    if len(found) < 30:
        problems.append(f"only {len(found)} sentences found: is the template read?")
    return complain(problems)


def expressions(folder):
    dashboard = json.loads((folder / "dashboard.json").read_text())
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield f"dashboard, variable {variable['name']}", json.dumps(variable["query"])
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield f"dashboard, {panel['title']}", target["expr"]
    for alert in yaml.safe_load((folder / "alerts.yaml").read_text()):
        yield alert["alert"], alert["expr"]


def metrics(folder, printed):
    known = set(re.findall(r"\b(?:latchkey|process)_[a-z0-9_]+", pathlib.Path(printed).read_text()))
    problems, count = [], 0
    for where, expr in expressions(pathlib.Path(folder)):
        for name in re.findall(r"\b(?:latchkey|process)_[a-z0-9_]+", expr):
            count += 1
            if name not in known and re.sub(r"_(bucket|sum|count)$", "", name) not in known:
                problems.append(f"{where}: there is no metric {name}")
    if count < 50:
        problems.append(f"only {count} metrics found: are the files read?")
    return complain(problems)


if __name__ == "__main__":
    commands = {f.__name__.replace("_", "-"): f for f in (data, secret, rules, queries, test_env, whole, secrets, restricted, same, sentences, metrics)}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        raise SystemExit(__doc__)
    sys.exit(commands[sys.argv[1]](*sys.argv[2:]))
