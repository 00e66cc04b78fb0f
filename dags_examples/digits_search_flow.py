"""A hyper-parameter search with cross-validation inside: a foreach in a foreach.

The configurations run next to each other, and so do the folds of each: with 4 of them and 3 folds, 12 tasks train at the same
time if there is room. On Airflow they are mapped task instances, labelled with what they try.

python digits_search_flow.py run
python digits_search_flow.py run --gammas 0.0005 --folds 5
"""

# Imported here, before the tasks are made, scikit-learn is loaded once for all tasks of a local run.
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.svm import SVC

from airflow_mlflow_provider import FlowSpec, Parameter, retry, step


class DigitsSearchFlow(FlowSpec):
    """Finds the support vector machine that reads scikit-learn's handwritten digits best.

    Every configuration is scored by cross-validation on the training part. The best one is trained on all of that part and
    judged once, on digits that the search never saw.
    """

    costs = Parameter("costs", default="1,10", separator=",", help="Values of C to try")
    gammas = Parameter("gammas", default="0.0005,0.005", separator=",", help="Values of gamma to try")
    folds = Parameter("folds", default=3, help="Folds of the cross-validation")
    seed = Parameter("seed", default=7, help="Seed of all shuffles")

    @step
    def start(self):
        """Sets the test part aside, once for all tasks, and lists what to try."""
        images, labels = load_digits(return_X_y=True)
        self.train_x, self.test_x, self.train_y, self.test_y = train_test_split(
            images, labels, test_size=0.25, random_state=self.seed, stratify=labels
        )
        self.configurations = [{"C": float(c), "gamma": float(g)} for c in self.costs for g in self.gammas]
        self.next(self.prepare_folds, foreach="configurations")

    @step
    def prepare_folds(self):
        """Of one configuration: keeps it by a name, as `self.input` is the fold in the next step."""
        self.configuration = self.input
        self.fold_numbers = list(range(self.folds))
        self.next(self.score_fold, foreach="fold_numbers")

    @retry(times=2)
    @step
    def score_fold(self):
        """Of one configuration and one fold: trains on the other folds, scores on this one."""
        splitter = StratifiedKFold(self.folds, shuffle=True, random_state=self.seed)
        train, held_out = list(splitter.split(self.train_x, self.train_y))[self.input]
        model = SVC(**self.configuration).fit(self.train_x[train], self.train_y[train])
        self.accuracy = float(model.score(self.train_x[held_out], self.train_y[held_out]))
        print(f"{self.configuration}, fold {self.input}: {self.accuracy:.4f}")
        self.next(self.join_folds)

    @step
    def join_folds(self, inputs):
        """Of one configuration: the mean over its folds. Artifacts on which all inputs agree are merged."""
        self.accuracies = [one.accuracy for one in inputs]
        self.mean_accuracy = sum(self.accuracies) / len(self.accuracies)
        self.merge_artifacts(inputs, exclude=["accuracy"])
        self.next(self.choose)

    @step
    def choose(self, inputs):
        """Ranks the configurations; the first of equals wins, so the result is always the same."""
        ranked = sorted(inputs, key=lambda one: -one.mean_accuracy)
        self.leaderboard = [(one.configuration, one.mean_accuracy) for one in ranked]
        self.best = ranked[0].configuration
        self.merge_artifacts(inputs, include=["train_x", "train_y", "test_x", "test_y"])
        self.next(self.evaluate)

    @step
    def evaluate(self):
        """Trains the best configuration on the whole training part and judges it on the test part."""
        self.model = SVC(**self.best).fit(self.train_x, self.train_y)
        self.test_accuracy = float(self.model.score(self.test_x, self.test_y))
        self.next(self.end)

    @step
    def end(self):
        """Reports. The model is the artifact `model` of this run."""
        for configuration, accuracy in self.leaderboard:
            print(f"{accuracy:.4f}  {configuration}")
        print(f"chosen {self.best}: {self.test_accuracy:.4f} on unseen digits")


if __name__ == "__main__":
    DigitsSearchFlow()
