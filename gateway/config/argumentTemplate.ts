/** A text with placeholders for the arguments of a mutation field, such as `product-{args.id}`. */
export type ArgumentTemplate = readonly (string | ArgumentPath)[];

/** Path of an argument value: `{args.input.id}` is `['input', 'id']`. */
interface ArgumentPath {
  readonly path: readonly string[];
}

const placeholder = /\{args((?:\.[_A-Za-z][_0-9A-Za-z]*)+)\}/g;

/** Splits a template into texts and placeholders. `undefined` if a brace is not part of a placeholder. */
export function parseArgumentTemplate(text: string): ArgumentTemplate | undefined {
  const template: (string | ArgumentPath)[] = [];
  let end = 0;
  for (const match of text.matchAll(placeholder)) {
    template.push(text.slice(end, match.index), { path: (match[1] as string).slice(1).split('.') });
    end = match.index + match[0].length;
  }
  template.push(text.slice(end));
  const isValid = template.every((part) => typeof part !== 'string' || !/[{}]/.test(part));
  return isValid ? template.filter((part) => part !== '') : undefined;
}
