import { Later } from "../later";

export default function CompareView() {
  return <Later name="Compare" words="This view is not built yet: it will show runs side by side." />;
}
