// Numbers as people read them.
// @ts-check

/** "1:05", "1:02:03". @param {number} seconds 0 or more */
function clock(seconds) {
  const whole = Math.floor(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${String(s).padStart(2, "0")}`;
  return h > 0 ? `${h}:${String(m).padStart(2, "0")}:${tail}` : `${m}:${tail}`;
}

/** "1 clip", "3 clips". @param {number} count @param {string} noun */
function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Last part of a path of any system. @param {string} path */
function fileName(path) {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
}

/** @param {string} path */
function fileStem(path) {
  const name = fileName(path);
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(0, dot) : name;
}

/** With a capital at the start, but for the name of hl. @param {string} text */
function capital(text) {
  return /^hl\b/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
}

/** With a full stop as well, as the messages of hl have neither. @param {string} text */
function sentence(text) {
  return text === "" || /[.!?]$/.test(text) ? capital(text) : `${capital(text)}.`;
}

module.exports = { capital, clock, counted, fileName, fileStem, sentence };
