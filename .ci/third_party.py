"""Deploys the template to an AWS emulator that is not ours, drops a job, and checks its answer.

    python .ci/third_party.py target/release/tidemill

The functions run as processes of this machine, so each package is a bootstrap that starts the one program
that holds them all. The emulator listens on the loopback address only.
"""

import io
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import zipfile

import boto3

ROOT = pathlib.Path(__file__).resolve().parent.parent
STACK = "tidemill"
BUCKET = "tidemill-test"
FUNCTIONS = {
    "Planner": "planner",
    "Worker": "worker",
    "LargeWorker": "worker",
    "Watcher": "watcher",
    "Api": "api",
}
# long enough for a message that came back once
PATIENCE_SECONDS = 180


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, find, seconds=PATIENCE_SECONDS):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = find()
        if found:
            return found
        time.sleep(0.5)
    raise SystemExit(f"{what}: nothing after {seconds} seconds")


def package(program, function):
    """A zip whose bootstrap is the function."""
    script = f"#!/bin/sh\nexec '{program}' function {function}\n"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, script)
    return data.getvalue()


def template(endpoint):
    """The template as CloudFormation gets it, with a package for each function."""
    translated = subprocess.run(
        [sys.executable, ROOT / ".ci/translate.py", ROOT / "template.yaml"],
        check=True,
        capture_output=True,
        text=True,
    )
    body = json.loads(translated.stdout)
    for name in FUNCTIONS:
        code = {"S3Bucket": "packages", "S3Key": f"{name}.zip"}
        properties = body["Resources"][name]["Properties"]
        # of this machine
        properties.update(Code=code, Architectures=["x86_64"])
        properties["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = endpoint
    for resource in body["Resources"].values():
        # the emulator takes a reference to a number for text
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            resource["Properties"]["ScalingConfig"] = {"MaximumConcurrency": 2}
            resource["Properties"].pop("ProvisionedPollerConfig", None)
    return body


def deploy(endpoint, program):
    s3 = boto3.client("s3", endpoint_url=endpoint)
    s3.create_bucket(Bucket="packages")
    for name, function in FUNCTIONS.items():
        s3.put_object(Bucket="packages", Key=f"{name}.zip", Body=package(program, function))
    cloudformation = boto3.client("cloudformation", endpoint_url=endpoint)
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=json.dumps(template(endpoint)),
        Parameters=[
            {"ParameterKey": "BucketName", "ParameterValue": BUCKET},
            {"ParameterKey": "WorkerConcurrency", "ParameterValue": "2"},
        ],
        Capabilities=["CAPABILITY_IAM"],
    )

    def deployed():
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        status = stack["StackStatus"]
        if status == "CREATE_COMPLETE":
            return True
        if status != "CREATE_IN_PROGRESS":
            events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
            for event in events:
                print(event.get("LogicalResourceId"), event["ResourceStatus"], event.get("ResourceStatusReason"))
            raise SystemExit(f"the stack is {status}")
        return False

    wait_for("the stack", deployed)
    return s3


def run(s3):
    tables = ROOT / "examples/nycflights13/tables"
    for path in sorted(tables.rglob("*")):
        if path.is_file():
            key = f"tables/{path.relative_to(tables).as_posix()}"
            s3.upload_file(str(path), BUCKET, key)
    jobs = {
        "one": {"sql": "SELECT count(*) AS n FROM flights"},
        "many": {
            "sql": "SELECT origin, count(*) AS n FROM flights GROUP BY origin ORDER BY origin",
            "options": {"partitions": 3},
        },
    }
    for name, job in jobs.items():
        s3.put_object(Bucket=BUCKET, Key=f"jobs/{name}.json", Body=json.dumps(job))

    def ended(name):
        listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"results/{name}/").get("Contents", [])
        for entry in listed:
            if entry["Key"].endswith(("/_SUCCESS", "/_FAILED")):
                return json.load(s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"])
        return None

    for name, rows in [("one", 1), ("many", 3)]:
        outcome = wait_for(f"job {name}", lambda name=name: ended(name))
        print(json.dumps({k: outcome.get(k) for k in ["run", "status", "rows", "tasks", "seconds", "reason"]}))
        if outcome["status"] != "succeeded" or outcome["rows"] != rows:
            raise SystemExit(f"job {name} did not end as it should")


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    os.environ.update(
        AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1"
    )
    ministack = pathlib.Path(sys.executable).parent / "ministack"
    with tempfile.TemporaryDirectory() as folder:
        log = open(pathlib.Path(folder) / "log", "w+", encoding="utf-8")
        environment = os.environ | {
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "TMPDIR": folder,
        }
        emulator = subprocess.Popen([ministack], env=environment, stdout=log, stderr=log, cwd=folder)
        try:
            s3 = boto3.client("s3", endpoint_url=endpoint)

            def ready():
                try:
                    return s3.list_buckets()
                except Exception:  # not yet
                    return None

            wait_for("the emulator", ready, 60)
            run(deploy(endpoint, program))
        except BaseException:
            log.seek(0)
            print(log.read()[-20000:])
            raise
        finally:
            emulator.terminate()
            emulator.wait()
    print("the third-party emulator gave the right answers")


if __name__ == "__main__":
    main()
