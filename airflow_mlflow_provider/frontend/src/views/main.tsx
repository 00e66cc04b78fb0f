// The views in the Airflow UI.
import { render } from "preact";
import { followTheme } from "../shared/theme";
import "../shared/theme.css";

followTheme();
const page = document.getElementById("page");
if (page) render(<p class="muted">Loading …</p>, page);
