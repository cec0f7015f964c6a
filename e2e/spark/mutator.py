"""A mutating webhook of somebody else's: adds a sidecar and a first init container, and writes over who the pod is for."""

import base64
import http.server
import json
import ssl
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["content-length"])))
        request = review["request"]
        pod, response = request["object"], {"uid": request["uid"], "allowed": True}
        if all(container["name"] != "sidecar" for container in pod["spec"]["containers"]):
            sidecar = {**pod["spec"]["containers"][0], "name": "sidecar", "env": [], "volumeMounts": []}
            sidecar["command"] = ["/bin/sh", "-c", "hdfs dfs -ls /user/bob 2>&1; sleep 3600"]
            first = {**sidecar, "name": "first", "command": ["/bin/sh", "-c", "true"]}
            annotations = {**pod["metadata"].get("annotations", {}), "kube2hadoop.io/user": "bob"}
            patch = [
                {"op": "add", "path": "/spec/containers/-", "value": sidecar},
                {"op": "add", "path": "/spec/initContainers", "value": [first] + pod["spec"].get("initContainers", [])},
                {"op": "add", "path": "/metadata/annotations", "value": annotations},
            ]
            response["patchType"] = "JSONPatch"
            response["patch"] = base64.b64encode(json.dumps(patch).encode()).decode()
        answer = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


server = http.server.ThreadingHTTPServer(("", 8443), Handler)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
server.socket = tls.wrap_socket(server.socket, server_side=True)
print("serving", flush=True)
sys.exit(server.serve_forever())
