#!/usr/bin/env python3
"""thalweg on tables beside scikit-learn's gradient boosting (HistGradientBoosting, default settings) and linear
models (logistic regression, ridge) on the same rows. For each of five seeds a fifth of the rows, drawn by the seed
(within the classes where there are classes), is the test part; adult brings its own, so there only the program's seed
changes. The others are written to a file that thalweg gets with `--target` and the seed alone, and takes its
validation rows from; the peers learn from all of it. titanic is without `boat` and `body`, which give the answer
away. Another table is named as FILE:TARGET, in the same folder; its target is classes where it is texts or two values.
Prints mean ± standard error of accuracy, or of the root mean squared error. Needs `pip install scikit-learn`.

    python benches/peers/boosting.py target/release/thalweg ../shared/data/tables [SET or FILE:TARGET …]
"""
import csv
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections import Counter

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

# Name, file, target, columns left out, whether there are classes.
SETS = [
    ("titanic", "titanic.csv", "survived", ["boat", "body"], True),
    ("adult", "adult_train.csv.gz", "income", [], True),
    ("iris", "iris.csv", "species", [], True),
    ("wine", "wine.csv", "cultivar", [], True),
    ("breast_cancer", "breast_cancer.csv", "diagnosis", [], True),
    ("digits", "digits.csv", "c65", [], True),
    ("auto-mpg", "auto-mpg.csv", "mpg", [], False),
    ("california_housing", "california_housing.csv", "median_house_value", [], False),
]
SEEDS = range(5)
MISSING = ["?", "NA", "NaN", "null", ""]


def read(path):
    """Names and rows of cells; a cell with nothing in it is None."""
    open_it = gzip.open if path.suffix == ".gz" else open
    with open_it(path, "rt", newline="") as file:
        rows = [[None if cell.strip() in MISSING else cell.strip() for cell in row] for row in csv.reader(file)]
    if path.name == "digits.csv":
        return [f"c{i + 1}" for i in range(len(rows[0]))], rows
    return rows[0], rows[1:]


class Encoder:
    """Number columns as floats, the others as the numbers of their most frequent values (`most` at most, each twice at
    least in the rows that are learned from); None and all else is NaN."""

    def __init__(self, rows, most):
        self.kept = []
        for column in zip(*rows):
            cells = [cell for cell in column if cell is not None]
            try:
                [float(cell) for cell in cells]
                self.kept.append(None)
            except ValueError:
                common = [value for value, n in Counter(cells).most_common(most) if n >= 2]
                self.kept.append({value: i for i, value in enumerate(common)})

    def __call__(self, rows):
        def number(cell, kept):
            return np.nan if cell is None else float(cell) if kept is None else kept.get(cell, np.nan)
        return np.array([[number(cell, kept) for cell, kept in zip(row, self.kept)] for row in rows])

    def names(self):
        return [i for i, kept in enumerate(self.kept) if kept is not None]


def boosting(learn, answers, test, classes):
    encode = Encoder(learn, 254)
    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    model = kind(categorical_features=encode.names(), random_state=0)
    return model.fit(encode(learn), answers).predict(encode(test))


def linear(learn, answers, test, classes):
    encode = Encoder(learn, 1000)
    names = encode.names()
    numbers = [i for i in range(len(encode.kept)) if i not in names]
    columns = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        ("names", OneHotEncoder(handle_unknown="ignore"), names),
    ])
    model = LogisticRegression(max_iter=5000) if classes else RidgeCV(np.logspace(-3, 3, 13))
    return make_pipeline(columns, model).fit(encode(learn), answers).predict(encode(test))


def score(said, truth, classes):
    said, truth = np.asarray(said), np.asarray(truth)
    return 100 * (said == truth).mean() if classes else float(np.sqrt(((said - truth) ** 2).mean()))


def write(path, names, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([names, *rows])


def network(program, names, learn, test, target, classes, seed):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write(folder / "train.csv", names, learn)
        write(folder / "test.csv", names, test)
        command = [program, "train", "train.csv", "--test", "test.csv", "--target", target]
        command += ["--seed", str(seed), "--out", "run", "--quiet"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}\n{done.stderr}")
        summary = json.loads((folder / "run" / "summary.json").read_text())
    return 100 * summary["test"]["accuracy"] if classes else summary["test"]["rmse"]


def without(names, rows, left_out):
    kept = [i for i, name in enumerate(names) if name not in left_out]
    return [names[i] for i in kept], [[row[i] for i in kept] for row in rows]


def are_classes(cells):
    try:
        return len({float(cell) for cell in cells if cell is not None}) <= 2
    except ValueError:
        return True


def other(folder, wanted):
    """The line of a table that is not among the sets."""
    file, _, target = wanted.rpartition(":")
    names, rows = read(folder / file)
    return pathlib.Path(file).stem, file, target, [], are_classes(row[names.index(target)] for row in rows)


def main():
    program, folder, wanted = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2]), sys.argv[3:]
    sets = [line for line in SETS if not wanted or line[0] in wanted]
    sets += [other(folder, name) for name in wanted if ":" in name]
    print(f"{'':20}{'thalweg':>22}{'boosting':>22}{'linear':>22}   seconds a network")
    for name, file, target, left_out, classes in sets:
        names, table = without(*read(folder / file), left_out)
        at = names.index(target)
        table = [row for row in table if row[at] is not None]
        scores, seconds = [], 0.0
        for seed in SEEDS:
            if name == "adult":
                learn, test = table, read(folder / "adult_test.csv.gz")[1]
            else:
                labels = [row[at] for row in table] if classes else None
                learn, test = train_test_split(table, test_size=0.2, random_state=seed, stratify=labels)
            began = time.monotonic()
            line = [network(program, names, learn, test, target, classes, seed)]
            seconds += time.monotonic() - began
            answers, truth = ([row[at] if classes else float(row[at]) for row in part] for part in (learn, test))
            x, y = (without(names, part, [target])[1] for part in (learn, test))
            for model in (boosting, linear):
                line.append(score(model(x, answers, y, classes), truth, classes))
            scores.append(line)
            print(f"{name} seed {seed}: {line}", file=sys.stderr, flush=True)
        scores = np.array(scores)
        means, errors = scores.mean(0), scores.std(0, ddof=1) / np.sqrt(len(scores))
        cells = "".join(f"{f'{mean:.2f} ± {error:.2f}':>22}" for mean, error in zip(means, errors))
        print(f"{name:20}{cells}   {seconds / len(scores):.1f}", flush=True)


if __name__ == "__main__":
    main()
