import { Later } from "../later";

export default function SweepView() {
  return (
    <Later name="Sweep" words="This view is not built yet: the command `backcast sweep` sweeps parameters." />
  );
}
