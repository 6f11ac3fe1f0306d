"""Serving: start a server, ask it over HTTP, and compare with the answers in Python.

python examples/serving.py
"""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from hashslide import SlideClassifier, data

MODEL = Path("mesh.hashslide")


def main() -> None:
    mesh = data.builtin("pubmed-mesh")
    model = SlideClassifier(random_state=0).fit(mesh.X_train, mesh.Y_train, classes=mesh.label_names)
    model.feature_names_in_ = mesh.feature_names  # the server can then be asked in words
    model.save(MODEL, optimizer_state=False)

    # The command prints its address when it answers; port 0 lets the system choose a free one.
    command = [sys.executable, "-m", "hashslide", "serve", str(MODEL), "--port", "0", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        line = server.stdout.readline()
        print(line.strip())
        address = line.split(" at ")[1].split()[0]

        for prediction in predict(address, ["insulin glucose rats", "asthma children"], k=3, explain=2):
            for one in prediction["labels"]:
                words = ", ".join(reason["feature"] for reason in one["why"])
                print(f"  {one['score']:.2f}  {one['label']}  ({words})")
            print()

        rows = [row_as_json(mesh.X_test[i]) for i in range(20)]
        answers = predict(address, rows, k=5)
        found = [[one["label"] for one in prediction["labels"]] for prediction in answers]
        labels = model.predict_topk(mesh.X_test[:20], k=5)[0]
        print(f"the same answers as predict_topk? {found == labels.tolist()}")

        server.terminate()  # it answers what has been asked, and ends


def predict(address: str, inputs: list, **options: object) -> list[dict]:
    """Return the server's predictions for some inputs."""
    body = json.dumps({"inputs": inputs, **options}).encode()
    request = urllib.request.Request(f"{address}v1/predict", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["predictions"]


def row_as_json(row) -> dict:
    """Return a sparse row as an input."""
    return {"features": {str(i): float(value) for i, value in zip(row.indices, row.data, strict=True)}}


if __name__ == "__main__":
    main()
