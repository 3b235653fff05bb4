/** What the build leaves out of what is served, without which the page does the same. */

import type { Plugin } from "vite";

/**
 * The stubs have their descriptors in base64, in which gzip finds next to no repetition: as the bytes that they stand
 * for, they are a third smaller once they are compressed.
 */
export const descriptorsAsBytes: Plugin = {
  name: "descriptors-as-bytes",
  transform: (code, id) =>
    id.includes("/api/stubs/")
      ? code.replace(/fileDesc\("([^"]+)"/g, (_, text) => {
          const bytes = lean(atob(text));
          // The last field of a file is its syntax; `leanDescriptors` leaves out what editions have in its place.
          if (!bytes.endsWith("proto3")) throw new Error(`${id} is not of proto3`);
          return `fileDesc(/*@__PURE__*/ btoa(${JSON.stringify(bytes)})`;
        })
      : undefined,
};

/** Calls of the market data that the page does not make. Their messages keep their places, without fields. */
const UNCALLED = /^(Import|GetCandles|ListCryptos|Take|Record)|^(Candle|AskedHours)$/;

/** Numbers of fields of descriptors. */
const [FILE_OPTIONS, MESSAGE_TYPE, SERVICE, NAME, FIELD, METHOD] = [8, 4, 6, 1, 2, 2];

/** Return the descriptor of a file without its options, which are names for generators of other languages. */
function lean(file: string): string {
  // A file begins with its name.
  const ofMarketData = file.startsWith("backcast/marketdata/", 2);
  return changed(file, (number, value) => {
    if (number === FILE_OPTIONS) return undefined;
    if (number === SERVICE)
      return changed(value, (inner, method) =>
        inner === METHOD && ofMarketData && UNCALLED.test(method.slice(2)) ? undefined : method,
      );
    if (number !== MESSAGE_TYPE) return value;
    let isUncalled = false;
    return changed(value, (inner, content) => {
      if (inner === NAME) isUncalled = ofMarketData && UNCALLED.test(content);
      return inner === FIELD && isUncalled ? undefined : content;
    });
  });
}

/** Return a serialized message with its long fields, each known by its number, as `change` returns them. */
function changed(message: string, change: (number: number, value: string) => string | undefined): string {
  let kept = "";
  for (let at = 0; at < message.length; ) {
    const start = at;
    const number = () => {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = message.charCodeAt(at++);
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80) return value;
      }
    };
    const tag = number();
    // Lengths stand before what is long; all else are numbers.
    const length = number();
    if ((tag & 7) !== 2) {
      kept += message.slice(start, at);
      continue;
    }
    const value = change(tag >> 3, message.slice(at, at + length));
    at += length;
    if (value !== undefined) kept += varint(tag) + varint(value.length) + value;
  }
  return kept;
}

/** Return a number as protobuf writes it: seven bits a byte, the lowest first. */
function varint(value: number): string {
  return value < 0x80
    ? String.fromCharCode(value)
    : String.fromCharCode((value & 0x7f) | 0x80) + varint(value >>> 7);
}

/** Of descriptor.proto, by which the library reads the stubs' descriptors: what these have. */
const DESCRIPTORS = new Set([
  "FileDescriptorProto",
  "DescriptorProto",
  "FieldDescriptorProto",
  "OneofDescriptorProto",
  "EnumDescriptorProto",
  "EnumValueDescriptorProto",
  "ServiceDescriptorProto",
  "MethodDescriptorProto",
  "MessageOptions",
  "FieldOptions",
]);

interface Field {
  readonly name: string;
  readonly number: number;
  readonly type: number;
  readonly label: number;
  readonly typeName?: string;
}

const [INT32, ENUM] = [5, 14];

/**
 * The library has the whole of descriptor.proto. Other messages keep their places without fields, as messages are known
 * by their places; enums are read as the numbers that they are, and defaults are those of proto3.
 */
export const leanDescriptors: Plugin = {
  name: "lean-descriptors",
  transform: (code, id) =>
    id.endsWith("/wkt/google/protobuf/descriptor_pb.js")
      ? code.replace(/\bboot\((\{.*\})\)/, (_, text) => {
          const file = JSON.parse(text) as { messageType: { name: string; field: Field[] }[] };
          const messageType = file.messageType.map(({ name, field }) => ({
            name,
            field: DESCRIPTORS.has(name) ? field.filter(isRead).map(plain) : [],
          }));
          return `boot(${JSON.stringify({ ...file, messageType, enumType: [] })})`;
        })
      : undefined,
};

function isRead({ type, typeName }: Field): boolean {
  return (
    type === ENUM || typeName === undefined || DESCRIPTORS.has(typeName.replace(".google.protobuf.", ""))
  );
}

function plain({ name, number, type, label, typeName }: Field): Field {
  return type === ENUM
    ? { name, number, type: INT32, label }
    : { name, number, type, label, ...(typeName && { typeName }) };
}

/** Modules of protobuf with the functions that others import of them, of which the page calls none. */
const UNUSED: Readonly<Record<string, readonly string[]>> = {
  // src/api/json.ts writes the JSON of the page.
  "from-json.js": [
    "fromJson",
    "fromJsonString",
    "mergeFromJson",
    "mergeFromJsonString",
    "enumFromJson",
    "isEnumJson",
  ],
  "to-json.js": ["toJson", "toJsonString", "enumToJson"],
  // Defaults in descriptors, which proto3 has not.
  "wire/text-format.js": ["parseTextFormatEnumValue", "parseTextFormatScalarValue"],
};

/** Connect has JSON beside the binary format, whichever is used, so the bundler cannot leave it out by itself. */
export const withoutUnused: Plugin = {
  name: "without-unused",
  load(id) {
    const [, module = ""] = /@bufbuild\/protobuf\/dist\/esm\/(.+)$/.exec(id) ?? [];
    return UNUSED[module]
      ?.map(
        (name) => `export function ${name}() { throw new Error("${name} is not served: page/shrink.ts"); }`,
      )
      .join("\n");
  },
};

/**
 * A compiled enum is a call that fills an object, which the bundler keeps as it may have effects; as an expression
 * without effects, it is kept only where it is used.
 */
export const enumsWithoutEffects: Plugin = {
  name: "enums-without-effects",
  transform: (code, id) =>
    /node_modules\/@(bufbuild|connectrpc)\//.test(id)
      ? code.replace(
          /^export var (\w+);\n\(function \(\1\) \{(.*?)^\}\)\(\1 \|\| \(\1 = \{\}\)\);/gms,
          "export const $1 = /*@__PURE__*/ (function ($1) {$2return $1;})({});",
        )
      : undefined,
};
