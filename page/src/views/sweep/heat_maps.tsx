import { useMemo } from "preact/hooks";
import { change, href, type Query } from "../../address";
import type { SweepTrial } from "../../api/stubs/backcast/gateway/v1/sweep_pb";
import { type Cell, HeatMap, type HeatMapAxis, heatMapScale } from "../../charts/heat_map";
import { ChoiceField } from "../../components/fields";
import { count } from "../../format";
import { METRICS, type MetricInfo } from "../../metrics";
import type { SweepSnapshot } from "../../state/sweep";
import type { SweepTable } from "../../state/sweep_table";
import { combinationQuery, valueWords } from "./links";

interface Props {
  query: Query;
  shown: SweepSnapshot;
  table: SweepTable;
  rank: MetricInfo;
  /** The best combination. */
  best: number | undefined;
  /** Sweep one crypto alone. */
  onSweepCrypto: (symbol: string) => void;
}

/** A metric over two of the swept parameters: the train part, and beside it the test part. */
export function HeatMaps({ query, shown, table, rank, best, onSweepCrypto }: Props) {
  const { x, y, others } = planeOf(query, table, best);
  const metric = METRICS.find(({ name }) => name === query.map) ?? rank;
  const symbols = shown.started?.request?.symbols ?? [];
  const crypto = symbols.includes(query.crypto ?? "") ? query.crypto : undefined;
  const maps = useMemo(
    () =>
      mapsOf(table, crypto === undefined ? undefined : trialsOf(shown.best, crypto), metric, {
        x,
        y,
        others,
      }),
    [table, table.length, crypto, shown.best, metric, x, y, others.join()],
  );
  const axes = useMemo(() => ({ x: axisOf(table, x), y: axisOf(table, y) }), [table, x, y]);
  const scale = useMemo(() => heatMapScale([...maps.train, ...(maps.test ?? [])]), [maps]);
  const row = pickedRow(query, table) ?? best;
  const chosen = row === undefined ? null : cellOf(table, row, { x, y, others });
  const pick = (cell: Cell) => {
    const found = table.rowAt(placesAt(table, { x, y, others }, cell));
    if (found !== undefined) change({ pick: String(found) });
  };
  const names = table.axes.map(({ name }) => ({ value: name, label: name.replaceAll("_", " ") }));
  const common = { ...axes, metric: metric.label, format: metric.show, scale, chosen, onPick: pick };
  return (
    <section class="stack" aria-labelledby="map">
      <h2 id="map">{crypto ?? "Median over the cryptos"}</h2>
      <div class="sweep-choices">
        <ChoiceField
          label="Metric"
          value={metric.name}
          onChange={(map) => change({ map: map === rank.name ? undefined : map })}
          choices={METRICS.map(({ name, label }) => ({ value: name, label }))}
        />
        {symbols.length > 1 && (
          <ChoiceField
            label="Of"
            value={crypto ?? ""}
            onChange={(symbol) => change({ crypto: symbol })}
            choices={[
              { value: "", label: "all cryptos (median)" },
              ...symbols.map((symbol) => ({ value: symbol, label: symbol })),
            ]}
          />
        )}
        {table.axes.length > 1 && (
          <>
            <ChoiceField
              label="Across"
              value={table.axes[x]!.name}
              onChange={(name) =>
                change({ x: name, ...(name === table.axes[y]!.name && { y: table.axes[x]!.name }) })
              }
              choices={names}
            />
            <ChoiceField
              label="Upwards"
              value={table.axes[y]!.name}
              onChange={(name) =>
                change({ y: name, ...(name === table.axes[x]!.name && { x: table.axes[y]!.name }) })
              }
              choices={names}
            />
          </>
        )}
        {table.axes.map(({ name, values }, axis) =>
          axis === x || axis === y ? null : (
            <ChoiceField
              key={name}
              label={`With ${name.replaceAll("_", " ")}`}
              value={String(values[others[axis]!])}
              onChange={(value) => change({ [`at.${name}`]: value })}
              choices={values.map((value) => ({ value: String(value), label: String(value) }))}
            />
          ),
        )}
      </div>
      {crypto !== undefined && maps.missing > 0 && (
        <p class="quiet row">
          Grey combinations of {crypto} are not among the best {count(shown.best.length)} trials.
          <button type="button" class="link" onClick={() => onSweepCrypto(crypto)}>
            Sweep {crypto} alone to see them all
          </button>
        </p>
      )}
      <div class="sweep-maps">
        <div>
          {maps.test !== undefined && <h3>Train</h3>}
          <HeatMap {...common} values={maps.train} smallerIsBetter={metric.smallestIsBest} />
        </div>
        {maps.test !== undefined && (
          <div>
            <h3>Test</h3>
            <HeatMap {...common} values={maps.test} smallerIsBetter={metric.smallestIsBest} />
          </div>
        )}
      </div>
      {row !== undefined && (
        <Picked shown={shown} table={table} row={row} rank={rank} isBest={row === best} />
      )}
    </section>
  );
}

/** The combination that the address picks; undefined if it picks none that there is. */
function pickedRow({ pick = "" }: Query, table: SweepTable): number | undefined {
  return /^\d+$/.test(pick) && Number(pick) < table.length ? Number(pick) : undefined;
}

/** The combination that is chosen in the map. */
function Picked({
  shown,
  table,
  row,
  rank,
  isBest,
}: {
  shown: SweepSnapshot;
  table: SweepTable;
  row: number;
  rank: MetricInfo;
  isBest: boolean;
}) {
  const values = table.valuesOf(row);
  const figure = (metrics: SweepTable["train"]) => rank.show(metrics[rank.field][row]);
  return (
    <p class="row sweep-picked" aria-live="polite">
      <span>
        {isBest ? "Best combination: " : "Chosen: "}
        <strong>{valueWords(values)}</strong>. Median {rank.label} <strong>{figure(table.train)}</strong>
        {table.test && (
          <>
            , in the test part <strong>{figure(table.test)}</strong>
          </>
        )}
        .
      </span>
      <a class="button" href={href("run", combinationQuery(shown, values))}>
        Open in Run
      </a>
    </p>
  );
}

/** Indexes of the axes of a map, and the places of all others. */
interface Plane {
  readonly x: number;
  readonly y: number;
  readonly others: readonly number[];
}

function planeOf(query: Query, table: SweepTable, best: number | undefined): Plane {
  const indexOf = (name: string | undefined) => table.axes.findIndex((axis) => axis.name === name);
  const x = Math.max(0, indexOf(query.x));
  const asked = indexOf(query.y);
  const y = asked >= 0 && asked !== x ? asked : table.axes.findIndex((_, index) => index !== x);
  const others = table.axes.map(({ name, values }, axis) => {
    const place = values.findIndex((value) => String(value) === query[`at.${name}`]);
    return place >= 0 ? place : best === undefined ? 0 : table.places[axis]![best]!;
  });
  return { x, y, others };
}

/** With one parameter, the map has one row. */
function axisOf({ axes }: SweepTable, index: number): HeatMapAxis {
  const axis = axes[index];
  return axis === undefined
    ? { name: "", values: [""] }
    : { name: axis.name, values: axis.values.map(String) };
}

function placesAt(table: SweepTable, { x, y, others }: Plane, cell: Cell): number[] {
  return table.axes.map((_, axis) => (axis === x ? cell.x : axis === y ? cell.y : others[axis]!));
}

/** The cell of a row; null if it lies in another plane. */
function cellOf(table: SweepTable, row: number, { x, y, others }: Plane): Cell | null {
  const isWithin = others.every(
    (place, axis) => axis === x || axis === y || table.places[axis]![row] === place,
  );
  return isWithin ? { x: table.places[x]![row]!, y: y < 0 ? 0 : table.places[y]![row]! } : null;
}

function trialsOf(trials: readonly SweepTrial[], symbol: string): Map<number, SweepTrial> {
  const own = trials.filter((trial) => trial.symbol === symbol);
  return new Map(own.map((trial) => [trial.combination, trial]));
}

/** The values of the maps; `missing` is the number of combinations that have no trial. */
function mapsOf(
  table: SweepTable,
  trials: ReadonlyMap<number, SweepTrial> | undefined,
  metric: MetricInfo,
  plane: Plane,
): { train: Float64Array; test: Float64Array | undefined; missing: number } {
  const [columns, rows] = [table.axes[plane.x]!.values.length, table.axes[plane.y]?.values.length ?? 1];
  const train = new Float64Array(columns * rows).fill(Number.NaN);
  const test = table.test && new Float64Array(columns * rows).fill(Number.NaN);
  let missing = 0;
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++) {
      const row = table.rowAt(placesAt(table, plane, { x, y }));
      if (row === undefined) continue;
      const at = y * columns + x;
      const trial = trials?.get(row);
      if (trials !== undefined && trial === undefined) missing++;
      train[at] = trials ? (trial?.train?.[metric.field] ?? Number.NaN) : table.train[metric.field][row]!;
      if (test && table.test)
        test[at] = trials ? (trial?.test?.[metric.field] ?? Number.NaN) : table.test[metric.field][row]!;
    }
  return { train, test, missing };
}
