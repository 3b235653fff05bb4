/** Lists that the gateway gives page by page. */

const PAGE_SIZE = 10_000;

interface Page {
  readonly nextPageToken: string;
}

/** Load all pages of a list. */
export async function allPages<P extends Page>(
  load: (page: { pageSize: number; pageToken: string }) => Promise<P>,
): Promise<P[]> {
  const pages: P[] = [];
  let pageToken = "";
  do {
    const page = await load({ pageSize: PAGE_SIZE, pageToken });
    pages.push(page);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return pages;
}
