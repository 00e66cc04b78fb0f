// The views in the Airflow UI: one page for each place they stand in, told by the page's address.
import { type ComponentChild, render } from "preact";
import { vegaIsAt } from "../card/chart";
import { followTheme } from "../shared/theme";
import "../shared/theme.css";
import { pagePath } from "./address";
import { root } from "./api/client";
import { FlowTab } from "./flow/flow";
import { FlowsPage } from "./flows/flows";
import { RunPage } from "./run/run";
import { TaskTab } from "./task/task";
import "./views.css";

/** What each view makes of the rest of the page's address. */
const views: Record<string, (parts: string[]) => ComponentChild> = {
  flow: ([dagId = ""]) => <FlowTab dagId={dagId} />,
  flows: () => <FlowsPage />,
  run: ([dagId = "", runId = ""]) => <RunPage dagId={dagId} runId={runId} />,
  task: ([dagId = "", runId = "", taskId = "", mapIndex = "-1"]) => <TaskTab dagId={dagId} runId={runId} taskId={taskId} mapIndex={mapIndex} />,
};

followTheme();
vegaIsAt(`${root}/static/vega.js`);
const [name = "", ...parts] = pagePath();
const page = document.getElementById("page");
if (page) render(<main>{views[name]?.(parts) ?? <p class="muted">There is no such page.</p>}</main>, page);
