"""A first flow: steps in a line, artifacts that travel with them."""

from metaflow import FlowSpec, Parameter, current, step


class GreetingFlow(FlowSpec):
    """Greets somebody, politely."""

    who = Parameter("who", default="world", help="Whom to greet")
    times = Parameter("times", default=2)
    POLITE = True

    @step
    def start(self):
        """Build the greeting."""
        print(f"{current.flow_name} starts for {self.who}")
        self.words = ["hello"] * self.times
        self.next(self.polish)

    @step
    def polish(self):
        self.words.append(self.who)
        self.sentence = " ".join(self.words).capitalize() + ("!" if self.POLITE else "")
        self.where = (current.flow_name, current.step_name, current.retry_count, current.namespace)
        self.next(self.end)

    @step
    def end(self):
        print(self.sentence)


if __name__ == "__main__":
    GreetingFlow()
