// The score curve of one clip: a filled line over time, the chosen moments behind it in their band's colour.
// @ts-check

/** Colours of the bands, readable on both themes. @type {Record<string, string>} */
const BAND_COLORS = { GREEN: "#2d9d78", CYAN: "#2aa5b8", YELLOW: "#c9a20a", ORANGE: "#e68619" };

/**
 * @param {HTMLCanvasElement} canvas
 * @param {object} curve
 * @param {number[]} curve.scores one per clip of `clipSeconds`, in [0, 1]
 * @param {number} curve.clipSeconds
 * @param {number} curve.durationSeconds
 * @param {{start: number, end: number, color: string}[]} curve.moments in seconds, with the colour of the band
 * @param {string} curve.line colour of the line
 */
function drawCurve(canvas, { scores, clipSeconds, durationSeconds, moments, line }) {
  const width = Math.max(1, canvas.clientWidth || 300);
  const height = Math.max(1, canvas.clientHeight || 56);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) return;
  /** @param {number} seconds */
  const x = (seconds) => (seconds / durationSeconds) * width;
  /** @param {number} score */
  const y = (score) => height - 3 - score * (height - 8);
  for (const moment of moments) {
    const left = x(moment.start);
    context.fillStyle = BAND_COLORS[moment.color];
    context.globalAlpha = 0.45;
    context.fillRect(left, 0, Math.max(2, x(moment.end) - left), height);
    context.globalAlpha = 1;
    context.fillRect(left, height - 3, Math.max(2, x(moment.end) - left), 3);
  }
  const points = scores.map((score, index) => {
    const end = Math.min(durationSeconds, (index + 1) * clipSeconds);
    return { x: x((index * clipSeconds + end) / 2), y: y(score) };
  });
  if (points.length === 0) return;
  context.strokeStyle = line;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(0, points[0].y);
  for (const point of points) context.lineTo(point.x, point.y);
  context.lineTo(width, points[points.length - 1].y);
  context.stroke();
}

module.exports = { BAND_COLORS, drawCurve };
