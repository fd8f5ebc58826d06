// Numbers as people read them.

/** "1:02:03.4", "2:03.4"; with no tenths where `tenths` is false. */
export function clock(seconds: number, tenths = true): string {
  const whole = tenths ? Math.round(seconds * 10) / 10 : Math.round(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = (whole % 60).toFixed(tenths ? 1 : 0).padStart(tenths ? 4 : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export function counted(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? "" : "s"}`;
}

/** "30000/1001" as a number. */
export function rate(text: string): number {
  const [above = 25, below = 1] = text.split("/").map(Number);
  return above / below;
}

/**
 * A name of a file inside other words. Its letters may run from right to left, which would turn the times beside it
 * round; marks that turn what follows are left out.
 */
export function isolated(name: string): string {
  return `\u2068${name.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "")}\u2069`;
}
