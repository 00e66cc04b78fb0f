"""An artifact that no step before has set."""

from __future__ import annotations

from pathlib import Path

from tests.flow_runs import FlowFile

SOURCE = """
    class Absent(FlowSpec):
        @step
        def start(self):
            self.default = getattr(self, "score", 0), hasattr(self, "score")
            self.next(self.end)

        @step
        def end(self):
            try:
                print(self.score)
            except AttributeError as error:
                self.kept = error
            self.score = 1
            print(self.model)
"""


def test_the_error_names_artifact_place_and_the_steps_that_set_it(tmp_path: Path) -> None:
    source = SOURCE.replace("print(self.model)", "pass")
    run = FlowFile(tmp_path, source).run().succeeded()
    assert run.value("default", "start") == (0, False)
    told = str(run.value("kept"))
    assert "Artifact 'score' is not set: no step before end set it" in told
    assert f"(Absent/{run.run}/end/0)" in told
    assert "It is set in: end." in told


def test_an_artifact_that_no_step_sets_has_no_such_list(tmp_path: Path) -> None:
    run = FlowFile(tmp_path, SOURCE).run().failed()
    assert "Artifact 'model' is not set" in run.error("end")
    assert "It is set in" not in run.error("end")
