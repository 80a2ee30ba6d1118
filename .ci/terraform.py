"""Compares infra/terraform with template.yaml: functions, their rights and events, routes, layers, queues, alarms. Of the
environment, values that are plain text are compared, others by their variables' names; the bucket, the topics
and the dashboard are not compared.

Nobody here can run Terraform, so this at least tells when one of the two was changed alone."""

import re
import sys
from pathlib import Path

import hcl2
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parent.parent


def plain(value):
    """What HCL's parser gives, without quotes and marks of its own."""
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items() if k != "__is_block__"}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, str):
        return value.strip('"')
    return value


def terraform():
    local = {}
    for path in sorted((ROOT / "infra/terraform").glob("*.tf")):
        with path.open() as file:
            for block in plain(hcl2.load(file)).get("locals", []):
                local.update(block)
    return local


def names(value):
    """The names of variables, parameters and resources that an expression or a value refers to."""
    return re.sub(r"[^a-z0-9]", "", str(value).lower().replace("${var.", "").replace("}", ""))


def number(value):
    """A number, or the parameter that it comes from."""
    if isinstance(value, dict):
        return names(value["Ref"])
    return value if isinstance(value, int) else names(value)


def text(value):
    """A text, or the parameter that it comes from."""
    if isinstance(value, dict):
        return names(value["Ref"])
    return names(value) if value.startswith("${var.") else value


def package(name, resource):
    """The name of a function's package: that of its program, or of the folder whose packages are installed."""
    metadata = resource.get("Metadata")
    if metadata:
        return metadata["BuildProperties"]["Binary"]
    folder = resource["Properties"]["CodeUri"]
    if folder != "functions/python/packages":
        raise SystemExit(f"{name} is made of {folder}, which this check does not know")
    return "python-packages"


def plain_text(environment):
    """The values that are plain text, and nothing of those that are found out at deployment."""
    plain = {name: value for name, value in environment.items() if isinstance(value, str) and "${" not in value}
    return {name: plain.get(name) for name in environment}


def as_list(value):
    return value if isinstance(value, list) else [value]


def of_template(template):
    resources = template["Resources"]
    functions, sources, layers, queues, alarms = {}, [], {}, {}, {}
    common = template["Globals"]["Function"]
    for name, resource in resources.items():
        of = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            rights = {"reads": [], "writes": [], "deletes": [], "sends": [], "hides": []}
            for statement in of["Policies"][0]["Statement"]:
                actions, places = as_list(statement["Action"]), as_list(statement["Resource"])
                kind = {
                    "s3:GetObject": "reads",
                    "s3:PutObject": "writes",
                    "s3:DeleteObject": "deletes",
                    "sqs:SendMessage": "sends",
                    "sqs:ChangeMessageVisibility": "hides",
                }
                for action in actions:
                    if action in kind:
                        rights[kind[action]] += [where(p) for p in places]
                    elif action not in ("s3:ListBucket", "s3:AbortMultipartUpload"):
                        raise SystemExit(f"{name} may {action}, which this check does not know")
            events = [e["Properties"] for e in of.get("Events", {}).values() if e["Type"] == "SQS"]
            for event in events:
                scaling = event["ScalingConfig"]
                scaling = scaling["Fn::If"][2] if "Fn::If" in scaling else scaling
                queue = event["Queue"]["Fn::GetAtt"][0]
                most = number(scaling["MaximumConcurrency"])
                sources.append((name, queue, event["BatchSize"], most))
            functions[name] = {
                "package": package(name, resource),
                "runtime": text(of.get("Runtime", common["Runtime"])),
                "handler": of.get("Handler", common["Handler"]),
                "layers": [layer["Ref"] for layer in of.get("Layers", [])],
                "memory": number(of.get("MemorySize", common["MemorySize"])),
                "timeout": of.get("Timeout", common["Timeout"]),
                "storage": of.get("EphemeralStorage", {}).get("Size", 512),
                "loops": of.get("RecursiveLoop") == "Allow",
                "environment": plain_text(of.get("Environment", {}).get("Variables", {})),
                **{kind: sorted(places) for kind, places in rights.items()},
            }
        elif resource["Type"] == "AWS::Serverless::LayerVersion":
            (runtime,) = of["CompatibleRuntimes"]
            layers[name] = {"description": of["Description"], "runtime": text(runtime)}
        elif resource["Type"] == "AWS::SQS::Queue":
            queues[name] = {
                "visibility": of["VisibilityTimeout"],
                "retention": of.get("MessageRetentionPeriod", 345600),
                "receives": of.get("RedrivePolicy", {}).get("maxReceiveCount", 0),
            }
        elif resource["Type"] == "AWS::CloudWatch::Alarm":
            alarms[name] = {
                "description": of["AlarmDescription"],
                "namespace": of["Namespace"],
                "metric": of["MetricName"],
                "statistic": of["Statistic"],
                "period": of["Period"],
                "periods": of["EvaluationPeriods"],
                "threshold": number(of["Threshold"]),
            }
    routes = [r["Properties"]["RouteKey"] for r in resources.values() if r["Type"] == "AWS::ApiGatewayV2::Route"]
    return {
        "functions": functions,
        "routes": sorted(routes),
        "sources": sorted(sources, key=str),
        "layers": layers,
        "queues": queues,
        "alarms": alarms,
        "environment": plain_text(common["Environment"]["Variables"]),
    }


def where(place):
    """A queue's name, or a prefix of the bucket."""
    if "Fn::GetAtt" in place:
        return place["Fn::GetAtt"][0]
    return place["Fn::Sub"].removeprefix("arn:aws:s3:::${Bucket}/")


def of_terraform(local):
    places = ("everything", "written", "begun", "deleted", "of_calls", "made_by_calls")
    lists = {f"${{local.{name}}}": local[name] for name in places}
    functions = {}
    for name, of in local["functions"].items():
        rights = {k: sorted(lists.get(str(of[k]), of[k])) for k in ("reads", "writes", "deletes", "sends", "hides")}
        functions[name] = {
            **{k: of[k] for k in ("package", "handler", "layers", "timeout", "storage")},
            "runtime": text(of["runtime"]),
            "memory": number(of["memory"]),
            "loops": of["loops"] in (True, "true"),
            "environment": plain_text(of["environment"]),
            **rights,
        }
    for name, of in local["functions"].items():
        queues = [s["queue"] for s in local["sources"].values() if s["function"] == name]
        if sorted(queues) != sorted(of["receives"]):
            raise SystemExit(f"{name} receives from {of['receives']}, and its sources are {queues}")
    sources = [(s["function"], s["queue"], s["batch"], number(s["concurrency"])) for s in local["sources"].values()]
    keep = ("description", "namespace", "metric", "statistic", "period", "periods")
    alarms = {n: {**{k: a[k] for k in keep}, "threshold": number(a["threshold"])} for n, a in local["alarms"].items()}
    layers = {n: {"description": l["description"], "runtime": text(l["runtime"])} for n, l in local["layers"].items()}
    return {
        "functions": functions,
        "routes": sorted(local["routes"]),
        "sources": sorted(sources, key=str),
        "layers": layers,
        "queues": local["queues"],
        "alarms": alarms,
        "environment": plain_text(local["environment"]),
    }


def differences(ours, theirs, path=""):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}, key=str):
            yield from differences(ours.get(key), theirs.get(key), f"{path}/{key}")
    elif ours != theirs:
        yield f"{path}: the template has {ours}, Terraform {theirs}"


template = of_template(yaml_parse((ROOT / "template.yaml").read_text()))
found = list(differences(template, of_terraform(terraform())))
sys.exit("\n".join(found) if found else None)
