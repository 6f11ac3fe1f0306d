"""Does hashing pay? Ask a sample of the data before a long training.

python examples/advice.py
"""

from hashslide import SlideClassifier, advise, data

ROWS = 5000
SECONDS = 10


def main() -> None:
    mesh = data.builtin("pubmed-mesh")
    X, Y = mesh.X_train[:ROWS], mesh.Y_train[:ROWS]
    advice = advise(X, Y, seconds=SECONDS)
    print(advice.verdict, *advice.reasons, sep="\n")
    model = SlideClassifier(128, random_state=0, **advice.settings).fit(X, Y)
    print(f"P@1 with the settings advised: {model.score(mesh.X_test, mesh.Y_test):.3f}")


if __name__ == "__main__":
    main()
