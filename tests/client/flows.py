"""Flows that the tests of the client read."""

FOREACH = '''
    class Foreach(FlowSpec):
        """Doubles what it is given."""

        alpha = Parameter("alpha", default=0.5)
        letters = Parameter("letters", default="a,b", separator=",")
        DIGITS = (1, 2)

        @step
        def start(self):
            print("to out")
            print("é to err", file=__import__("sys").stderr)
            self.items = ["apple", "pear"]
            self.next(self.body, foreach="items")

        @catch(var="problem")
        @step
        def body(self):
            self.doubled = self.input * 2
            if self.index == 1:
                raise ValueError("rotten")
            self.next(self.join)

        @step
        def join(self, inputs):
            self.doubled = [getattr(i, "doubled", None) for i in inputs]
            self.private = {
                "step": self._current_step,
                "type": self._graph_info["steps"]["join"]["type"],
                "inputs": [one._foreach_stack[0].step for one in inputs],
                "graph": current.graph == self._graph_info,
                "ok": self._task_ok,
            }
            self.seen = {
                "run": current.run.pathspec,
                "task": current.task.pathspec,
                "alpha": current.run.parameters["alpha"],
                "namespace": get_namespace(),
                "latest": Flow("Foreach").latest_run.id == current.run_id,
            }
            self.next(self.end)

        @step
        def end(self):
            pass
'''

SHAPES = """
    class Shapes(FlowSpec):
        @step
        def start(self):
            self.next(self.left, self.right)

        @step
        def left(self):
            self.kind = "short"
            self.next({"short": self.quick, "long": self.slow}, condition="kind")

        @step
        def quick(self):
            self.next(self.join)

        @step
        def slow(self):
            self.next(self.join)

        @step
        def right(self):
            self.count = getattr(self, "count", 0) + 1
            self.more = self.count < 3
            self.next({True: self.right, False: self.launch}, condition="more")

        @step
        def launch(self):
            self.next(self.nodes, num_parallel=2)

        @parallel
        @step
        def nodes(self):
            self.place = current.parallel.node_index
            self.next(self.gathered)

        @step
        def gathered(self, inputs):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
"""

BROKEN = """
    import pathlib

    class Broken(FlowSpec):
        @step
        def start(self):
            self.items = [1, 2]
            self.next(self.body, foreach="items")

        @step
        def body(self):
            self.value = self.input
            print("split", self.input)
            if self.index == 1 and not pathlib.Path("fixed").exists():
                raise RuntimeError("not fixed")
            self.next(self.join)

        @step
        def join(self, inputs):
            self.values = [i.value for i in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
"""
