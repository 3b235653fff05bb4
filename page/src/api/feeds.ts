/** The services that only the view Data calls: feeds, and fetches from exchanges. */

import { createClient } from "@connectrpc/connect";
import { allPages } from "./pages";
import type { Feed } from "./stubs/backcast/marketdata/v1/feed_pb";
import { FeedService } from "./stubs/backcast/marketdata/v1/feed_service_pb";
import { FetchService } from "./stubs/backcast/marketdata/v1/fetch_service_pb";
import { transport } from "./transport";

const feeds = createClient(FeedService, transport);
export const fetches = createClient(FetchService, transport);

/** Return all feeds, ordered by exchange and quote currency. */
export async function allFeeds(signal: AbortSignal): Promise<Feed[]> {
  const pages = await allPages((page) => feeds.listFeeds(page, { signal }));
  return pages.flatMap((page) => page.feeds);
}
