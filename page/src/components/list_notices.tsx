import { cryptos, listError } from "../state/lists";
import { ErrorNotice, ImportLink, Notice } from "./notice";

/** Says why a form has nothing to offer: the lists of strategies and cryptos failed, or there are no candles. */
export function ListNotices({ nothingShown }: { nothingShown: boolean }) {
  const failed = listError.value;
  return (
    <>
      {failed !== undefined && !failed.wantsToken && nothingShown && <ErrorNotice error={failed} />}
      {cryptos.items.value?.length === 0 && (
        <Notice
          kind="warning"
          sentence="There are no candles yet."
          advice="Drop files on the view Data, use the command `backcast import FOLDER`, or try the made-up market of `backcast sample`."
        >
          <ImportLink />
        </Notice>
      )}
    </>
  );
}
