/**
 * The JSON of messages, as the API writes it.
 *
 * The library's reader and writer of JSON are not served (page/shrink.ts): they and what they need are 8 kB, and the
 * page only writes what is downloaded.
 */

import type { DescField, DescMessage, JsonObject, JsonValue, Message } from "@bufbuild/protobuf";
import { type Any, anyUnpack, type Duration, type Timestamp } from "@bufbuild/protobuf/wkt";
import { registry } from "./registry";

/** Return the JSON of a message, with the fields' names of the protos, and defaults where a field cannot be absent. */
export function jsonOf(schema: DescMessage, message: Message): JsonObject {
  const object: JsonObject = {};
  for (const field of schema.fields) {
    const value = presentValue(field, message as unknown as Record<string, unknown>);
    if (value !== undefined) object[field.name] = fieldJson(field, value);
  }
  return object;
}

/** Return the value of a field; undefined if it is absent. */
function presentValue({ oneof, localName }: DescField, message: Record<string, unknown>): unknown {
  if (oneof === undefined) return message[localName];
  const chosen = message[oneof.localName] as { readonly case?: string; readonly value?: unknown };
  return chosen.case === localName ? chosen.value : undefined;
}

function fieldJson(field: DescField, value: unknown): JsonValue {
  switch (field.fieldKind) {
    case "list":
      return (value as unknown[]).map((each) => valueJson(field, each));
    case "map":
      return Object.fromEntries(
        Object.entries(value as object).map(([key, each]) => [key, valueJson(field, each)]),
      );
    default:
      return valueJson(field, value);
  }
}

function valueJson(field: DescField, value: unknown): JsonValue {
  if (field.message !== undefined) return messageJson(field.message, value as Message);
  if (field.enum !== undefined) return field.enum.value[value as number]?.name ?? (value as number);
  // An int64 and NaN are text; bytes, which would be too, are in none of the messages that are downloaded.
  if (typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value)))
    return String(value);
  return value as JsonValue;
}

function messageJson(schema: DescMessage, message: Message): JsonValue {
  switch (schema.typeName) {
    case "google.protobuf.Timestamp": {
      const { seconds, nanos } = message as Timestamp;
      return `${new Date(1000 * Number(seconds)).toISOString().slice(0, -5)}${fraction(nanos)}Z`;
    }
    case "google.protobuf.Duration": {
      const { seconds, nanos } = message as Duration;
      return `${seconds}${fraction(nanos)}s`;
    }
    case "google.protobuf.Any": {
      const packed = message as Any;
      const detail = anyUnpack(packed, registry);
      const kind = detail && registry.getMessage(detail.$typeName);
      return { "@type": packed.typeUrl, ...(kind && jsonOf(kind, detail)) };
    }
    default:
      return jsonOf(schema, message);
  }
}

/** The digits behind the full stop: none, three, six or nine. */
function fraction(nanos: number): string {
  const digits = String(nanos)
    .padStart(9, "0")
    .replace(/(000)+$/, "");
  return digits && `.${digits}`;
}
