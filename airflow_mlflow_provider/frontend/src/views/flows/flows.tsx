import { useViewState } from "../address";
import { FlowList } from "./list";
import { Results } from "./results";
import { SearchForm } from "./search";
import "../parts/bar.css";
import "./flows.css";

/** The page in the navigation: all flows that the user may read, and a search through their runs. */
export function FlowsPage() {
  const [state, change] = useViewState();
  const { find = "", by = "pathspec", text = "" } = state;
  return (
    <>
      <header class="flows-head">
        <h1>Flows</h1>
        <SearchForm find={find} by={by} search={(asked) => change(asked)} />
      </header>
      {find
        ? <Results key={`${by} ${find}`} find={find} by={by} leave={() => change({ find: "", by: "" })} />
        : <FlowList text={text} filter={(given) => change({ text: given }, { replace: true })} />}
    </>
  );
}
