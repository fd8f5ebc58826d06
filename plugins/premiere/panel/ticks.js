// Exact time. Premiere counts in ticks, 254 016 000 000 a second, and a frame of every standard rate is
// a whole number of them; seconds as floating point are not exact at 23.976, 29.97 or 59.94.
// @ts-check

/**
 * An exact frame rate, in frames per second.
 * @typedef {{num: bigint, den: bigint}} Rate
 */

/** Ticks in a second, Premiere's own unit. */
const TICKS_PER_SECOND = 254016000000n;

/** Rates that files carry as the nearest double. @type {[number, number][]} */
const STANDARD_RATES = [
  [24000, 1001],
  [24, 1],
  [25, 1],
  [30000, 1001],
  [30, 1],
  [48, 1],
  [50, 1],
  [60000, 1001],
  [60, 1],
  [100, 1],
  [120000, 1001],
  [120, 1],
];

/**
 * Read an exact rate.
 * @param {string} text "30000/1001"
 * @returns {Rate}
 * @throws {RangeError} It is not a positive fraction.
 */
function parseRate(text) {
  const match = /^([1-9][0-9]*)\/([1-9][0-9]*)$/.exec(text);
  if (!match) throw new RangeError(`${JSON.stringify(text)} is not a frame rate like 30000/1001`);
  return { num: BigInt(match[1]), den: BigInt(match[2]) };
}

/**
 * Return the exact rate that a file wrote as a double: the standard one within a millionth, else the
 * double itself to a thousandth.
 * @param {number} value frames per second
 * @returns {Rate}
 */
function nearestRate(value) {
  if (!(value > 0 && Number.isFinite(value))) throw new RangeError(`${value} is not a frame rate`);
  for (const [num, den] of STANDARD_RATES) {
    if (Math.abs(value - num / den) < 1e-6 * value) return { num: BigInt(num), den: BigInt(den) };
  }
  return { num: BigInt(Math.round(value * 1000)), den: 1000n };
}

/**
 * Divide two whole numbers and round down, as the floor does.
 * @param {bigint} a
 * @param {bigint} b above 0
 */
function floorDivide(a, b) {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}

/**
 * Return the exact fraction a double stands for.
 * @param {number} value finite
 * @returns {{num: bigint, den: bigint}}
 */
function exactly(value) {
  let den = 1n;
  // A double is a whole number over a power of two, so that this ends.
  while (!Number.isInteger(value)) {
    value *= 2;
    den *= 2n;
  }
  return { num: BigInt(value), den };
}

/**
 * Return the frame whose start is nearest to an instant, the later one halfway: the rule of `hl`.
 * @param {{num: bigint, den: bigint}} seconds exact, from the first video frame
 * @param {Rate} rate
 * @returns {number}
 */
function frameAt(seconds, rate) {
  const num = seconds.num * rate.num * 2n;
  const den = seconds.den * rate.den;
  return Number(floorDivide(num + den, 2n * den));
}

/**
 * Return the tick at which a frame starts, to the nearest one; exact at every standard rate.
 * @param {number} frame
 * @param {Rate} rate
 * @returns {string} as `TickTime.createWithTicks` wants it
 */
function frameToTicks(frame, rate) {
  const num = BigInt(frame) * rate.den * TICKS_PER_SECOND * 2n;
  return floorDivide(num + rate.num, 2n * rate.num).toString();
}

/** @param {Rate} a @param {Rate} b */
function sameRate(a, b) {
  return a.num * b.den === b.num * a.den;
}

/**
 * Return the frame count of a timecode label; drop-frame where ";" or "." stands before the frames
 * and the rate is near 30 or 60.
 * @param {string | null} label "HH:MM:SS:FF"; null is 0
 * @param {Rate} rate
 * @returns {number} 0 for what is no label, as editors show such a file
 */
function timecodeToFrame(label, rate) {
  const match = /^(\d{2}):(\d{2}):(\d{2})([:;.])(\d{2,3})$/.exec(label === null ? "" : label);
  if (!match) return 0;
  const base = Math.max(1, frameAt({ num: 1n, den: 1n }, rate));
  const [hours, minutes, seconds, frames] = [1, 2, 3, 5].map((group) => Number(match[group]));
  if (minutes > 59 || seconds > 59 || frames >= base) return 0;
  let total = ((hours * 60 + minutes) * 60 + seconds) * base + frames;
  if (match[4] !== ":" && base % 30 === 0) {
    const minute = hours * 60 + minutes;
    total -= (base / 15) * (minute - Math.floor(minute / 10));
  }
  return total;
}

module.exports = {
  TICKS_PER_SECOND,
  exactly,
  frameAt,
  frameToTicks,
  nearestRate,
  parseRate,
  sameRate,
  timecodeToFrame,
};
