#!/usr/bin/env python3
"""What a TF-IDF logistic regression reaches on the text sets of docs/results.md: names by language (character 1- to
3-grams) and the sentiment of sentences (words and pairs of words). The test rows are those whose line (bytes, without
its end) has crc32 % 5 == 0; sentences with a valence of 0 are dropped. Needs `pip install scikit-learn`.

    python benches/peers/text_baselines.py ../shared/data/text
"""
import csv
import pathlib
import sys
import zlib

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression


def judge(name, samples, vectorizer):
    """samples: (line, text, label) triples."""
    test = [zlib.crc32(line) % 5 == 0 for line, _, _ in samples]
    part = lambda wanted: [s for s, held_out in zip(samples, test) if held_out == wanted]
    learn, judged = part(False), part(True)
    x = vectorizer.fit_transform([text for _, text, _ in learn])
    model = LogisticRegression(max_iter=2000).fit(x, [label for _, _, label in learn])
    accuracy = model.score(
        vectorizer.transform([text for _, text, _ in judged]), [label for _, _, label in judged]
    )
    print(f"{name}: {len(learn)} training rows, {len(judged)} test rows, accuracy {accuracy:.4f}")


def names(path):
    lines = path.read_bytes().splitlines()[1:]
    rows = csv.reader(line.decode() for line in lines)
    return [(line, row[0], row[2]) for line, row in zip(lines, rows)]


def sentences(path):
    samples = []
    for line in path.read_bytes().split(b"\n"):
        line = line.rstrip(b"\r")
        if line:
            _, valence, text = line.decode("utf-8", "replace").split("\t")
            if float(valence) != 0:
                samples.append((line, text, float(valence) > 0))
    return samples


root = pathlib.Path(sys.argv[1])
judge("names by language", names(root / "names_by_language.csv"),
      TfidfVectorizer(analyzer="char", ngram_range=(1, 3)))
together = []
for path in sorted((root / "sentiment").glob("*.txt")):
    samples = sentences(path)
    judge(path.stem, samples, TfidfVectorizer(ngram_range=(1, 2)))
    together += samples
judge("all sentences", together, TfidfVectorizer(ngram_range=(1, 2)))
