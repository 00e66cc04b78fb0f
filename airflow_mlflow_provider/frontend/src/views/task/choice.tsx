import type { InstanceTask } from "../api/schema";
import { nameOf } from "./task";

/** Which of the tasks of a loop, a gang, a chain of steps or a shard is shown. */
export function Choice({ tasks, count, chosen, choose }: {
  tasks: InstanceTask[];
  count: number;
  chosen: string;
  choose: (name: string) => void;
}) {
  return (
    <label class="choice">
      Task{" "}
      <select value={chosen} onChange={(event) => choose(event.currentTarget.value)}>
        {tasks.map((task) => (
          <option key={nameOf(task)} value={nameOf(task)}>
            {[nameOf(task), ...task.labels.map((one) => `${one.var ?? one.step}=${one.label}`), task.state].join(" · ")}
          </option>
        ))}
      </select>{" "}
      <span class="muted">of {count.toLocaleString("en-US")}{tasks.length < count ? `, the first ${tasks.length}` : ""}</span>
    </label>
  );
}
