import type { Random } from '../../subgraphs/shared/random.ts';
import { oddJson as oddJsonOf, oddNames } from './oddities.ts';

/** JSON text in a tree, for what no JavaScript value is written as: 1e400, a name twice, nesting without end. */
class Raw {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Container = Record<string, unknown>;
interface Place {
  readonly container: Container;
  readonly key: string;
}

/** Lists that nest deeper than the stack is high are a matter of their own. */
const levels = 500;
const oddJson = (random: Random): string => oddJsonOf(random, 2, levels);

/** A right answer's text with one to three things wrong in it. */
export function breakJson(random: Random, right: string): string {
  const root: Container = { answer: JSON.parse(right) };
  for (let left = random.integer(1, 3); left > 0; left--) {
    if (random.chance(0.2)) breakErrors(random, root.answer);
    else if (random.chance(0.15)) breakEntities(random, root.answer);
    else breakPlace(random, random.pick([{ container: root, key: 'answer' }, ...placesIn(root.answer)]));
  }
  return write(root.answer);
}

function breakPlace(random: Random, { container, key }: Place): void {
  const value = container[key];
  switch (random.integer(0, 7)) {
    case 0:
      if (Array.isArray(container)) container.splice(Number(key), 1);
      else delete container[key];
      return;
    case 1:
      set(container, key, null);
      return;
    case 2:
      set(container, key, [value]);
      return;
    case 3:
      set(container, key, Array.isArray(value) ? value[0] : { [random.pick(oddNames)]: value });
      return;
    case 4:
      if (Array.isArray(value)) value.push(new Raw(oddJson(random)));
      else if (typeof value === 'object' && value !== null) {
        set(value as Container, random.pick(oddNames), new Raw(oddJson(random)));
      } else set(container, key, String(value));
      return;
    case 5:
      if (key === '__typename')
        set(container, key, random.pick(['User', 'Bot', 'Nobody', 'Query', 'Node', '__proto__']));
      else set(container, key, new Raw('{"__proto__":{"polluted":true}}'));
      return;
    default:
      set(container, key, new Raw(oddJson(random)));
  }
}

/** `_entities` of another length or kind. Never in another order: no gateway could see that. */
function breakEntities(random: Random, answer: unknown): void {
  const data = (answer as { data?: unknown } | null)?.data;
  if (typeof data !== 'object' || data === null) return;
  const keys = Object.keys(data).filter((key) => key.startsWith('_e'));
  if (keys.length === 0) return;
  const key = random.pick(keys);
  const list = (data as Container)[key];
  if (!Array.isArray(list)) return;
  const wrong = [
    list.slice(1),
    [...list, null],
    [...list, list[0]],
    [],
    {},
    null,
    'x',
    [list],
    list.map(() => null),
  ];
  (data as Container)[key] = random.pick(wrong);
}

function breakErrors(random: Random, answer: unknown): void {
  if (typeof answer !== 'object' || answer === null) return;
  const [first = 'user'] = Object.keys((answer as { data?: object }).data ?? {});
  const paths = [
    '[]',
    `["${first}"]`,
    `["${first}",0]`,
    `["${first}",0,"name"]`,
    `["${first}",9e9]`,
    `["nothing",-1]`,
  ];
  const entry = random.chance(0.5)
    ? `{"message":"it failed","path":${random.pick(paths)},"extensions":{"code":"X","http":{"status":302}}}`
    : `{"message":${oddJson(random)},"path":${oddJson(random)},"extensions":${oddJson(random)},"locations":${oddJson(random)}}`;
  const wrong = [
    '"x"',
    '{}',
    '[null]',
    '[]',
    '[[]]',
    '0',
    oddJson(random),
    `[${entry}]`,
    `[${entry},${entry}]`,
  ];
  (answer as Container).errors = new Raw(random.pick(wrong));
  if (random.chance(0.3)) (answer as Container).data = null;
  if (random.chance(0.2)) delete (answer as Container).data;
}

function placesIn(value: unknown): Place[] {
  if (typeof value !== 'object' || value === null || value instanceof Raw) return [];
  const container = value as Container;
  return Object.keys(container).flatMap((key) => [{ container, key }, ...placesIn(container[key])]);
}

function set(container: Container, key: string, value: unknown): void {
  Object.defineProperty(container, key, { value, writable: true, enumerable: true, configurable: true });
}

function write(value: unknown): string {
  if (value instanceof Raw) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  return `{${Object.entries(value)
    .map(([key, inner]) => `${JSON.stringify(key)}:${write(inner)}`)
    .join()}}`;
}
