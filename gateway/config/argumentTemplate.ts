/** A text with places for a mutation field's arguments: `product-{args.id}`. */
export type ArgumentTemplate = readonly (string | ArgumentPath)[];

/** Names from the argument inwards: `{args.input.id}` is `['input', 'id']`. */
interface ArgumentPath {
  readonly path: readonly string[];
}

const placeholder = /\{args((?:\.[_A-Za-z][_0-9A-Za-z]*)+)\}/g;

/** Texts and places in turns; `undefined` where a brace stands in anything but a place. */
export function parseArgumentTemplate(text: string): ArgumentTemplate | undefined {
  const template: (string | ArgumentPath)[] = [];
  let end = 0;
  for (const match of text.matchAll(placeholder)) {
    template.push(text.slice(end, match.index), { path: (match[1] as string).slice(1).split('.') });
    end = match.index + match[0].length;
  }
  template.push(text.slice(end));
  const isRight = template.every((part) => typeof part !== 'string' || !/[{}]/.test(part));
  return isRight ? template.filter((part) => part !== '') : undefined;
}
