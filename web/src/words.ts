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
