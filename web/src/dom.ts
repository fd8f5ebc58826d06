// A little of what the page needs of the DOM.

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

type Child = Node | string | null;

/** Make an element. Text is text: names of files are never markup. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((one) => one !== null));
  return made;
}

export function button(words: string, label: string, onPress: () => void): HTMLButtonElement {
  const made = make("button", { type: "button", "aria-label": label, title: label }, words);
  made.addEventListener("click", (event) => {
    event.stopPropagation();
    onPress();
  });
  return made;
}

/**
 * Put other children in, and the focus where it was: elements are known by `data-key`, and what is gone leaves the
 * focus to what came into its place.
 */
export function replace(holder: HTMLElement, children: Node[]): void {
  const keyed = (): HTMLElement[] => [...holder.querySelectorAll<HTMLElement>("[data-key]")];
  const before = keyed();
  const place = before.indexOf(document.activeElement as HTMLElement);
  const key = before[place]?.dataset.key;
  holder.replaceChildren(...children);
  if (place < 0) return;
  const now = keyed();
  const next = now.find((one) => one.dataset.key === key) ?? now[Math.min(place, now.length - 1)];
  (next ?? byId("moments")).focus();
}
