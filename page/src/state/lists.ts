/** Lists of the gateway that several views show: loaded once, and anew after an import. */

import { computed, signal } from "@preact/signals";
import { backtests } from "../api/clients";
import type { Explanation } from "../api/explain";
import { allPages } from "../api/pages";
import type { StrategyDescription } from "../api/stubs/backcast/gateway/v1/strategy_description_pb";
import type { Crypto } from "../api/stubs/backcast/marketdata/v1/crypto_pb";
import { token } from "../api/transport";
import { whileAway } from "../api/while_away";

/** A list that is loaded when it is first asked for. As long as the gateway is away, it is asked for again. */
class LoadedList<T> {
  /** The items; undefined until they are there. */
  readonly items = signal<readonly T[] | undefined>(undefined);
  readonly error = signal<Explanation | undefined>(undefined);
  /** True once the items are there, or why they are not. */
  readonly answered = computed(() => this.items.value !== undefined || this.error.value !== undefined);
  private outdated = false;
  private underWay: Promise<void> | undefined;

  constructor(private readonly load: () => Promise<T[]>) {
    // With another token, the gateway may answer where it has refused to.
    token.subscribe(() => {
      if (this.error.peek() !== undefined) void this.reload();
    });
  }

  /** Load the items unless they are there. */
  want(): void {
    if (this.items.peek() === undefined && this.error.peek() === undefined) void this.reload();
  }

  /** Return the items once they are there. */
  async wanted(): Promise<readonly T[]> {
    this.want();
    return (
      this.items.peek() ??
      new Promise((resolve) => {
        const stop = this.items.subscribe((items) => {
          if (items === undefined) return;
          queueMicrotask(() => stop());
          resolve(items);
        });
      })
    );
  }

  /** Load the items as they are now. An answer under way may be from before: it is followed by another. */
  reload(): Promise<void> {
    this.outdated = true;
    this.underWay ??= this.update();
    return this.underWay;
  }

  private async update(): Promise<void> {
    const load = () => {
      this.outdated = false;
      return this.load();
    };
    const tell = (why: Explanation) => {
      this.error.value = why;
    };
    while (this.outdated) {
      try {
        this.items.value = await whileAway(load, tell);
        this.error.value = undefined;
      } catch {
        // The error is shown already.
      }
    }
    this.underWay = undefined;
  }
}

export const strategies = new LoadedList<StrategyDescription>(async () => {
  const pages = await allPages((page) => backtests.listStrategies(page));
  return pages.flatMap(({ strategies }) => strategies);
});

export const cryptos = new LoadedList<Crypto>(async () => {
  const pages = await allPages((page) => backtests.listCryptos(page));
  return pages.flatMap(({ cryptos }) => cryptos);
});

/** Why a list could not be loaded, if one could not. */
export const listError = computed(() => strategies.error.value ?? cryptos.error.value);
