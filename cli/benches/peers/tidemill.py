"""Tidemill as a runner of the peers' harness: PEERS_RUNNERS=this/folder TIDEMILL=target/release/tidemill.

A query is what a user does: put jobs/<name>.sql into the bucket of `tidemill local`, wait for the
marker under results/, fetch the parts. Only the standard library speaks to the endpoint.
"""
import atexit, http.client, io, os, re, shutil, subprocess, sys, tempfile, time, uuid
import pyarrow.parquet as pq

BUCKET = "/tidemill-local"


class Bucket:
    def __init__(self, *arguments):
        self.dir = tempfile.mkdtemp(prefix="tidemill-bench-")
        self.log = open(os.path.join(self.dir, "log"), "w")
        program = os.environ.get("TIDEMILL", "tidemill")
        self.process = subprocess.Popen(
            [os.path.abspath(program) if os.sep in program else program, "local", "--dir", self.dir, "--port", "0", *arguments],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        atexit.register(self.close)
        for line in self.process.stdout:
            if found := re.search(r"endpoint\s+http://([\w.:]+)", line):
                self.http = http.client.HTTPConnection(found[1], timeout=600)
            if found := re.search(r"bucket\s+(\S+)", line):
                self.bucket = "/" + found[1]
            if line.startswith("no local effect"):
                return
        sys.exit("tidemill local did not start: see " + self.log.name)

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def call(self, method, key, body=None):
        headers = {"Content-Length": str(os.fstat(body.fileno()).st_size)} if hasattr(body, "fileno") else {}
        self.http.request(method, f"{self.bucket}/{key}", body, headers)
        answer = self.http.getresponse()
        data = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {key}: {answer.status} {data[:300]}")
        return data

    def upload(self, key, path):
        with open(path, "rb") as f:
            self.call("PUT", key, f)

    def run(self, sql):
        """Rows of a query, as Arrow."""
        name = "q" + uuid.uuid4().hex[:12]
        self.call("PUT", f"jobs/{name}.sql", sql.encode())
        keys, start = [], time.perf_counter()
        while not any(k.endswith(("/_SUCCESS", "/_FAILED")) for k in keys):
            # a look takes half a millisecond of the cores: seldom enough for what it costs and adds to be the same
            time.sleep(max(0.002, 0.022 * (time.perf_counter() - start) ** 0.5))
            listing = self.call("GET", f"?list-type=2&prefix=results/{name}/").decode()
            keys = re.findall(r"<Key>([^<]+)</Key>", listing)
        if failed := [k for k in keys if k.endswith("/_FAILED")]:
            raise RuntimeError(self.call("GET", failed[0]).decode())
        parts = sorted(k for k in keys if "/part-" in k)
        return [pq.read_table(io.BytesIO(self.call("GET", k))) for k in parts]


def rows(parts):
    return [tuple(r.values()) for t in parts for r in t.to_pylist()]


def version():
    return "tidemill " + os.environ.get("TIDEMILL_ARGS", "")


def arguments():
    return os.environ.get("TIDEMILL_ARGS", "").split()


class Sql:
    def __init__(self, tables, threads):
        self.bucket = Bucket(*arguments())
        for name, path in tables.items():
            self.bucket.upload(f"tables/{name}/{os.path.basename(path)}", path)

    def query(self, sql, qid):
        return self.bucket.run(sql)

    def rows(self, handle):
        return rows(handle)

    def version(self):
        return version()


class Csv:
    def __init__(self, threads):
        self.bucket = None

    def run(self, path, sql):
        if self.bucket is None:
            self.bucket = Bucket(*arguments())
            self.bucket.upload("tables/lineitem/lineitem.csv", path)
        return rows(self.bucket.run(sql))

    def version(self):
        return version()
