import type { ComponentChildren } from "preact";
import type { MetricInfo } from "../metrics";

/** A figure as text; in colour if its sign, as shown, says that it is a gain or a loss. */
export function figure(metric: MetricInfo, value: number | undefined): ComponentChildren {
  const text = metric.show(value);
  if (!metric.signed) return text;
  if (text.startsWith("+")) return <span class="gain">{text}</span>;
  return text.startsWith("−") ? <span class="loss">{text}</span> : text;
}
