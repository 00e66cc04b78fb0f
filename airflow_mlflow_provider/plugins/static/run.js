// The tab of a DAG run. Everything shown is put into the page as text, never as HTML.

const [dagId, runId] = location.pathname.split("/view/")[1].split("/").map(decodeURIComponent);
const root = location.pathname.split("/view/")[0];
const api = `${root}/api/${encodeURIComponent(dagId)}/${encodeURIComponent(runId)}`;
const page = document.getElementById("page");

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

function table(head, rows) {
  const cells = (kind, row) => row.map((cell) => element(kind, kind === "th" ? { scope: "col" } : {}, cell));
  return element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...cells("th", head))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells("td", row)))),
  );
}

async function call(address, options = {}) {
  const answer = await fetch(address, { headers: { Accept: "application/json" }, ...options });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const detail = typeof body.detail === "string" ? body.detail : JSON.stringify(body.detail ?? body);
    throw new Error(`${answer.status}: ${detail}`);
  }
  return body;
}

function whenOpened(details, fill) {
  details.addEventListener("toggle", async () => {
    const place = details.querySelector("div");
    if (!details.open || place.childElementCount) return;
    place.replaceChildren(element("p", { className: "muted" }, "Loading …"));
    try {
      place.replaceChildren(...(await fill()));
    } catch (error) {
      place.replaceChildren(element("p", { className: "error" }, error.message));
    }
  });
  return details;
}

function sizeText(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit ? value.toFixed(1) : value} ${units[unit]}`;
}

async function artifacts(step, task) {
  const found = await call(`${api}/steps/${encodeURIComponent(step)}/${encodeURIComponent(task)}`);
  if (!found.length) return [element("p", { className: "muted" }, "No artifacts.")];
  const rows = found.map((one) => [
    element("code", {}, one.name),
    one.type,
    sizeText(one.size),
    element("code", {}, one.preview === null ? "" : JSON.stringify(one.preview)),
    element("code", { title: one.digest }, one.digest.slice(0, 12)),
  ]);
  return [table(["Artifact", "Type", "Size", "Preview", "Digest"], rows)];
}

function taskDetails(step, task) {
  const state = element("span", { className: task.status }, task.origin ? "taken over" : task.status);
  const label = task.labels.length ? ` ${task.labels.join(", ")}` : "";
  const took = task.seconds === null ? "" : ` · ${task.seconds} s`;
  const summary = element("summary", {}, element("code", {}, task.task), label, " · ", state, took);
  const details = element("details", {}, summary, element("div"));
  return whenOpened(details, async () => [
    task.error ? element("p", { className: "error" }, task.error) : "",
    task.origin ? element("p", { className: "muted" }, `Taken over from ${task.origin}`) : "",
    ...(await artifacts(step, task.task)),
  ]);
}

async function taskList(step, offset = 0) {
  const found = await call(`${api}/steps/${encodeURIComponent(step)}?offset=${offset}`);
  const made = found.tasks.map((task) => taskDetails(step, task));
  if (found.next !== null) {
    const more = element("button", { type: "button" }, "More");
    more.addEventListener("click", async () => more.replaceWith(...(await taskList(step, found.next))));
    made.push(more);
  }
  return made;
}

function stepDetails(step) {
  const taken = step.taken_over ? `, ${step.taken_over} taken over` : "";
  const count = step.tasks ? `${step.tasks} task${step.tasks > 1 ? "s" : ""}${taken}` : "not begun";
  const summary = element("summary", {}, element("strong", {}, step.step), ` · ${count}`);
  const details = element("details", {}, summary, element("div"));
  return whenOpened(details, async () => [
    step.doc ? element("p", { className: "muted" }, step.doc) : "",
    ...(step.tasks ? await taskList(step.step) : []),
  ]);
}

async function startResume(message) {
  const prepared = await call(`${api}/resume`, { method: "POST" });
  await call(`${root.replace(/\/flows$/, "")}/api/v2/dags/${encodeURIComponent(dagId)}/dagRuns`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ dag_run_id: prepared.dag_run_id, logical_date: null, conf: prepared.conf }),
  });
  message.className = "succeeded";
  message.textContent = `Started the DAG run ${prepared.dag_run_id}.`;
}

function resumeBox() {
  const message = element("p", { className: "muted", role: "status" });
  const confirm = element("button", { type: "button", hidden: true }, "Start the resumed run");
  const look = element("button", { type: "button" }, "Resume …");
  const report = (error) => {
    message.className = "error";
    message.textContent = error.message;
  };
  look.addEventListener("click", async () => {
    try {
      const plan = await call(`${api}/resume`);
      const taken = Object.entries(plan.taken_over).map(([step, count]) => `${step} (${count})`);
      const runs = Object.entries(plan.runs).map(([task, reason]) => `${task}, which ${reason}`);
      message.textContent = `Takes over: ${taken.join(", ") || "nothing"}. Runs: ${runs.join("; ") || "nothing"}.`;
      confirm.hidden = runs.length === 0;
    } catch (error) {
      report(error);
    }
  });
  confirm.addEventListener("click", async () => {
    confirm.disabled = true;
    await startResume(message).catch(report);
  });
  return element("section", {}, element("p", {}, look, " ", confirm), message);
}

async function show() {
  const run = await call(api);
  const parameters = Object.entries(run.parameters).map(([name, value]) => [
    element("code", {}, name),
    element("code", {}, JSON.stringify(value)),
  ]);
  const parts = [
    element("h1", {}, run.pathspec),
    element("p", {}, element("span", { className: run.status }, run.status), run.reason ? `: ${run.reason}` : ""),
    element("p", { className: "muted" }, `Code ${run.code.slice(0, 12) || "of the DAG bundle"} · ${run.tags.join(" · ")}`),
    run.origin ? element("p", { className: "muted" }, `Resumes ${run.origin}`) : null,
    run.may_resume ? resumeBox() : null,
    element("h2", {}, "Steps"),
    ...run.steps.map(stepDetails),
    element("h2", {}, "Parameters"),
    parameters.length ? table(["Name", "Value"], parameters) : element("p", { className: "muted" }, "None."),
  ];
  page.replaceChildren(...parts.filter((part) => part !== null));
}

show().catch((error) => {
  page.replaceChildren(element("p", { className: "error" }, error.message));
});
