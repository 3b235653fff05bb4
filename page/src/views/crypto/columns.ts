/** Columns of the API: packed little-endian values of 8 bytes, at any address of the message. */

/** Read float64 values. */
export function doublesOf(bytes: Uint8Array): Float64Array {
  return new Float64Array(copied(bytes));
}

/** Read int64 values that are seconds, as numbers. */
export function secondsOfColumn(bytes: Uint8Array): Float64Array {
  return Float64Array.from(new BigInt64Array(copied(bytes)), Number);
}

/** Put blocks one after the other. */
export function joined(blocks: readonly Float64Array[]): Float64Array {
  const whole = new Float64Array(blocks.reduce((length, block) => length + block.length, 0));
  let at = 0;
  for (const block of blocks) {
    whole.set(block, at);
    at += block.length;
  }
  return whole;
}

// A typed array wants an aligned start; every machine that runs a browser is little-endian.
function copied(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer;
}
