/**
 * The views that come when the first of them is shown.
 *
 * They come together, as they share most of what they need: with a file for each, the page was a twentieth larger.
 */

export { default as compare } from "./compare";
export { default as crypto } from "./crypto";
export { default as data } from "./data";
export { default as runs } from "./runs";
export { default as sweep } from "./sweep";
