import { Later } from "../later";

export default function CryptoView() {
  return <Later name="Crypto" words="This view will show one crypto: candles, trades, equity and months." />;
}
