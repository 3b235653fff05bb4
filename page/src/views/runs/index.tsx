import { Later } from "../later";

export default function RunsView() {
  return <Later name="Runs" words="Runs." />;
}
