import { Later } from "../later";

export default function RunView() {
  return <Later name="Run" words="Run." />;
}
