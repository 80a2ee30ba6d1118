"""Deploys the template to an AWS emulator that is not ours, drops jobs, and checks their answers.

    python .ci/third_party.py target/release/tidemill

The functions run as processes of this machine, so each package is a bootstrap that starts the one program
that holds them all. The emulator knows no program that runs in the place of a managed runtime, so the Python
workers are such packages, too, which name this interpreter; their layers are published and attached, and not used.
The emulator listens on the loopback address only.
"""

import hashlib
import io
import json
import operator
import os
import pathlib
import pickle
import socket
import struct
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
    "PythonWorker": "python",
    "LargePythonWorker": "python",
    "PythonSqlWorker": "python-sql",
    "Watcher": "watcher",
    "Api": "api",
}
# functions of the managed runtime, whose layer is named as their program
OF_PYTHON = {"python", "python-sql"}
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


def package(program, function, alive):
    """A zip whose bootstrap is the function. That ends with its standard input, of which the emulator gives none."""
    arguments = f" '{sys.executable}'" if function in OF_PYTHON else ""
    script = f"#!/bin/sh\nexec '{program}' function {function}{arguments} < '{alive}'\n"
    return zipped("bootstrap", script)


def zipped(name, text):
    """A zip of one program."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, text)
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
        properties.update(Code=code, Architectures=["x86_64"], Runtime="provided.al2023", Handler="bootstrap")
        properties["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = endpoint
    for resource in body["Resources"].values():
        if resource["Type"] == "AWS::Lambda::LayerVersion":
            resource["Properties"]["Content"] = {"S3Bucket": "packages", "S3Key": "layer.zip"}
        # the emulator takes a reference to a number for text
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            resource["Properties"]["ScalingConfig"] = {"MaximumConcurrency": 2}
            resource["Properties"].pop("ProvisionedPollerConfig", None)
    return body


def deploy(endpoint, program, alive):
    s3 = boto3.client("s3", endpoint_url=endpoint)
    s3.create_bucket(Bucket="packages")
    for name, function in FUNCTIONS.items():
        s3.put_object(Bucket="packages", Key=f"{name}.zip", Body=package(program, function, alive))
    s3.put_object(Bucket="packages", Key="layer.zip", Body=zipped("tidemill/python", "#!/bin/sh\nexit 1\n"))
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
    check_layers(endpoint)
    return s3


def check_layers(endpoint):
    """The layers are attached to the functions whose programs they bring, and to nothing else."""
    of_functions = boto3.client("lambda", endpoint_url=endpoint)
    for function in of_functions.list_functions()["Functions"]:
        program = FUNCTIONS[function["FunctionName"].split("-")[1]]
        layers = [layer["Arn"].split(":")[-2] for layer in function.get("Layers", [])]
        expected = [f"{STACK}-{program}"] if program in OF_PYTHON else []
        if layers != expected:
            raise SystemExit(f"{function['FunctionName']} has the layers {layers}")


def upload_calls(s3):
    """A job of calls: additions, and one that cannot be done."""
    function = pickle.dumps(operator.add)
    name = hashlib.sha256(function).hexdigest()
    s3.put_object(Bucket=BUCKET, Key=f"calls/shared/{name}", Body=function)
    pairs = [(n, n) for n in range(9)] + [(1, "x")]
    arguments = [pickle.dumps((pair, {})) for pair in pairs]
    offsets = [sum(map(len, arguments[:n])) for n in range(len(arguments) + 1)]
    index = json.dumps({"offsets": offsets}).encode()
    pack = b"".join(arguments) + index + struct.pack("<I", len(index)) + b"TDC1"
    s3.put_object(Bucket=BUCKET, Key="calls/additions", Body=pack)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    calls = {"function": name, "arguments": "calls/additions", "python": version}
    job = {"calls": calls, "options": {"partitions": 3}}
    s3.put_object(Bucket=BUCKET, Key="jobs/calls.json", Body=json.dumps(job))


def check_calls(s3, run):
    """What the calls came to."""
    came_to = []
    for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix=f"results/calls/{run}/")["Contents"]:
        if not entry["Key"].endswith(".calls"):
            continue
        pack = s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()
        (length,) = struct.unpack("<I", pack[-8:-4])
        index = json.loads(pack[-8 - length : -8])
        ends = zip(index["offsets"], index["offsets"][1:])
        values = [pickle.loads(pack[start:end]) for start, end in ends]
        kinds = [record["kind"] for record in index["records"]]
        came_to += zip(range(index["first"], index["first"] + len(values)), kinds, values)
    *added, (number, kind, raised) = sorted(came_to, key=lambda call: call[0])
    if added != [(n, "returned", 2 * n) for n in range(9)]:
        raise SystemExit(f"the calls came to {added}")
    if (number, kind, type(raised)) != (9, "raised", TypeError):
        raise SystemExit(f"the last call came to {number, kind, raised}")


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
    upload_calls(s3)

    def ended(name):
        listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"results/{name}/").get("Contents", [])
        for entry in listed:
            if entry["Key"].endswith(("/_SUCCESS", "/_FAILED")):
                return json.load(s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"])
        return None

    for name, rows in [("one", 1), ("many", 3), ("calls", 10)]:
        outcome = wait_for(f"job {name}", lambda name=name: ended(name))
        print(json.dumps({k: outcome.get(k) for k in ["run", "status", "rows", "tasks", "seconds", "reason"]}))
        if outcome["status"] != "succeeded" or outcome["rows"] != rows:
            raise SystemExit(f"job {name} did not end as it should")
        if name == "calls":
            check_calls(s3, outcome["run"])


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
        alive = pathlib.Path(folder) / "alive"
        os.mkfifo(alive)
        held = os.open(alive, os.O_RDWR)
        emulator = subprocess.Popen([ministack], env=environment, stdout=log, stderr=log, cwd=folder)
        try:
            s3 = boto3.client("s3", endpoint_url=endpoint)

            def ready():
                try:
                    return s3.list_buckets()
                except Exception:  # not yet
                    return None

            wait_for("the emulator", ready, 60)
            run(deploy(endpoint, program, alive))
        except BaseException:
            log.seek(0)
            print(log.read()[-20000:])
            raise
        finally:
            emulator.terminate()
            emulator.wait()
            os.close(held)
    print("the third-party emulator gave the right answers")


if __name__ == "__main__":
    main()
