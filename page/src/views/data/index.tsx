import { Later } from "../later";

export default function StoredDataView() {
  return (
    <Later name="Data" words="This view is not built yet: the command `backcast import` imports candles." />
  );
}
