import type { Random } from '../../subgraphs/shared/random.ts';
import { createOddJson, oddNames } from './oddValues.ts';

/** Raw JSON text as a tree node, for texts that no JavaScript value is serialized to: 1e400, a repeated name, endless
 *  nesting. */
class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Container = Record<string, unknown>;
interface JsonSlot {
  readonly container: Container;
  readonly key: string;
}

/** Puts one to three faults into the text of a correct response. */
export function corruptJson(random: Random, correctText: string): string {
  const root: Container = { response: JSON.parse(correctText) };
  const fixed = new Set(entityLists(root.response));
  let isWhole = true;
  for (let left = random.integer(1, 3); left > 0; left--) {
    if (random.chance(0.2)) corruptErrors(random, root.response);
    else if (isWhole && fixed.size > 0 && random.chance(0.4)) {
      // Once: two changes of the length could amount to another order.
      corruptEntities(random, root.response);
      isWhole = false;
    } else
      corruptSlot(
        random,
        random.pick([{ container: root, key: 'response' }, ...listSlots(root.response)]),
        fixed,
      );
  }
  return write(root.response);
}

/** `fixed`: lists whose length must not change. */
function corruptSlot(random: Random, { container, key }: JsonSlot, fixed: ReadonlySet<unknown>): void {
  const value = container[key];
  switch (random.integer(0, 7)) {
    case 0:
      if (fixed.has(container)) set(container, key, null);
      else if (Array.isArray(container)) container.splice(Number(key), 1);
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
      if (Array.isArray(value) && !fixed.has(value)) value.push(new RawJson(createOddJson(random)));
      else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
        set(value as Container, random.pick(oddNames), new RawJson(createOddJson(random)));
      } else set(container, key, String(value));
      return;
    case 5:
      if (key === '__typename')
        set(container, key, random.pick(['User', 'Bot', 'Nobody', 'Query', 'Node', '__proto__']));
      else set(container, key, new RawJson('{"__proto__":{"polluted":true}}'));
      return;
    default:
      set(container, key, new RawJson(createOddJson(random)));
  }
}

/** Changes the length or type of `_entities`. Never the order, which no gateway could notice. */
function corruptEntities(random: Random, response: unknown): void {
  const lists = entityLists(response);
  if (lists.length === 0) return;
  const list = random.pick(lists);
  const data = (response as { data: Container }).data;
  const key = Object.keys(data).find((name) => data[name] === list) as string;
  const wrong = [[...list, null], [...list, list[0]], [], {}, null, 'x', [list], list.map(() => null)];
  // Mostly changes with which a careless gateway would assign entities to the wrong paths.
  const shifted = [list.slice(1), [list[0], ...list], [null, ...list]];
  data[key] = random.pick(random.chance(0.5) ? shifted : wrong);
}

function entityLists(response: unknown): unknown[][] {
  const data = (response as { data?: unknown } | null)?.data;
  return Object.entries(data ?? {}).flatMap(([key, value]) =>
    key.startsWith('_e') && Array.isArray(value) ? [value] : [],
  );
}

function corruptErrors(random: Random, response: unknown): void {
  if (typeof response !== 'object' || response === null) return;
  const [first = 'user'] = Object.keys((response as { data?: object }).data ?? {});
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
    : `{"message":${createOddJson(random)},"path":${createOddJson(random)},"extensions":${createOddJson(random)},"locations":${createOddJson(random)}}`;
  const wrong = [
    '"x"',
    '{}',
    '[null]',
    '[]',
    '[[]]',
    '0',
    createOddJson(random),
    `[${entry}]`,
    `[${entry},${entry}]`,
  ];
  (response as Container).errors = new RawJson(random.pick(wrong));
  if (random.chance(0.3)) (response as Container).data = null;
  if (random.chance(0.2)) delete (response as Container).data;
}

function listSlots(value: unknown): JsonSlot[] {
  if (typeof value !== 'object' || value === null || value instanceof RawJson) return [];
  const container = value as Container;
  return Object.keys(container).flatMap((key) => [{ container, key }, ...listSlots(container[key])]);
}

function set(container: Container, key: string, value: unknown): void {
  Object.defineProperty(container, key, { value, writable: true, enumerable: true, configurable: true });
}

function write(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  return `{${Object.entries(value)
    .map(([key, inner]) => `${JSON.stringify(key)}:${write(inner)}`)
    .join()}}`;
}
