import { useMemo } from "preact/hooks";
import { colourOffset, colourTable, cssColour, divergingScale, wantsDarkText } from "./diverging";
import { palette } from "./palette";
import { MONTHS } from "./series";

export interface MonthReturn {
  readonly year: number;
  /** From 1 to 12. */
  readonly month: number;
  /** As a fraction; undefined if the equity was 0. */
  readonly fraction: number | undefined;
}

/** Returns by year and month, each year compounded at its end. */
export function MonthsGrid({ months }: { readonly months: readonly MonthReturn[] }) {
  const { low, middle, high } = palette.value;
  const table = useMemo(() => colourTable(low, middle, high), [low, middle, high]);
  const scale = useMemo(
    () =>
      divergingScale(
        months.map(({ fraction }) => fraction ?? Number.NaN),
        0,
      ),
    [months],
  );
  const years = [...new Set(months.map(({ year }) => year))];
  const byMonth = new Map(months.map((each) => [each.year * 12 + each.month, each.fraction]));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls by keys
    <section class="months-scroll" tabIndex={0} aria-label="Returns by month">
      <table class="months">
        <thead>
          <tr>
            <th scope="col">year</th>
            {MONTHS.map((name) => (
              <th scope="col" key={name}>
                {name}
              </th>
            ))}
            <th scope="col">whole year</th>
          </tr>
        </thead>
        <tbody>
          {years.map((year) => (
            <tr key={year}>
              <th scope="row">{year}</th>
              {MONTHS.map((name, index) => {
                const fraction = byMonth.get(year * 12 + index + 1);
                if (fraction === undefined)
                  return <td key={name}>{byMonth.has(year * 12 + index + 1) ? "–" : ""}</td>;
                const offset = colourOffset(scale, fraction);
                return (
                  <td
                    key={name}
                    class={wantsDarkText(table, offset) ? "dark-text" : "light-text"}
                    style={{ backgroundColor: cssColour(table, offset) }}
                  >
                    {signed(fraction)}
                  </td>
                );
              })}
              <td class="months-total">{signed(compounded(months, year))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function compounded(months: readonly MonthReturn[], year: number): number {
  return (
    months
      .filter((each) => each.year === year)
      .reduce((product, { fraction }) => product * (1 + (fraction ?? 0)), 1) - 1
  );
}

function signed(fraction: number): string {
  const percent = (fraction * 100).toFixed(1);
  return Number(percent) === 0 ? "0.0" : Number(percent) > 0 ? `+${percent}` : percent.replace("-", "−");
}
