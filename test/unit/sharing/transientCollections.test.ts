import { execFileSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { TextKey, TextMap } from '../../../gateway/sharing/textMap.ts';
import { TransientMap } from '../../../gateway/sharing/transientMap.ts';
import { TransientSet } from '../../../gateway/sharing/transientSet.ts';

const modules = new URL('../../../gateway/sharing/', import.meta.url);

/** Lets 100,000 objects of about 1 kB pass through a collection, 50 at a time, after a full garbage collection. Returns the
 *  bytes that a collection of the young generation leaves. */
function survivingBytes(setUp: string, add: string, remove: string): number {
  const program = `
    ${setUp}
    const live = [];
    let before = 0;
    for (let n = 0; n < 120_000; n++) {
      if (n === 20_000) { gc(); before = process.memoryUsage().heapUsed; }
      const object = { numbers: new Array(120).fill(n) };
      live.push(object);
      ${add};
      if (live.length > 50) { const old = live.shift(); ${remove}; }
    }
    gc({ type: 'minor' });
    gc({ type: 'minor' });
    console.log(process.memoryUsage().heapUsed - before);`;
  const args = ['--expose-gc', '--input-type=module', '--eval', program];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

const importOf = (file: string, name: string) =>
  `import { ${name} } from ${JSON.stringify(new URL(file, modules).href)};`;

describe('collections of objects that live for a moment', () => {
  test('a set has the members that were added and not deleted', () => {
    const set = new TransientSet<number>();
    const model = new Set<number>();
    for (let n = 0; n < 2000; n++) {
      const member = (n * 7919) % 300;
      if (n % 3 === 0) {
        set.delete(member);
        model.delete(member);
      } else {
        set.add(member);
        model.add(member);
      }
      expect(set.size).toBe(model.size);
    }
    expect(set.toArray()).toEqual([...model]);
    for (const member of model) set.delete(member);
    expect(set.toArray()).toEqual([]);
  });

  test('a map has the entries that were set and not deleted', () => {
    const map = new TransientMap<string, number>();
    const model = new Map<string, number>();
    for (let n = 0; n < 2000; n++) {
      const key = String((n * 7919) % 300);
      if (n % 3 === 0) {
        map.delete(key);
        model.delete(key);
      } else {
        map.set(key, n);
        model.set(key, n);
      }
      expect(map.size).toBe(model.size);
      expect(map.get(key)).toBe(model.get(key));
    }
    for (const [key, value] of model) expect(map.get(key)).toBe(value);
    expect([[...map.keys()], [...map.values()]]).toEqual([[...model.keys()], [...model.values()]]);
  });

  test('a text map has the entries that were set and not deleted, also those with equal hashes', () => {
    const map = new TextMap<number>();
    const model = new Map<string, number>();
    // Only the beginning and the end of a long text are hashed.
    const texts = ['', 'short', ...[1, 2, 3, 4].map((n) => 'x'.repeat(600) + n + 'y'.repeat(600))];
    for (let n = 0; n < 2000; n++) {
      const [scope, text] = [`client ${(n * 31) % 3}`, texts[(n * 7919) % texts.length] as string];
      const key = new TextKey(scope, text);
      if (n % 3 === 0) {
        map.delete(key);
        model.delete(scope + text);
      } else {
        map.set(key, n);
        model.set(scope + text, n);
      }
      for (const other of texts) expect(map.get(new TextKey(scope, other))).toBe(model.get(scope + other));
    }
  });

  test('a text map distinguishes where its two texts are divided', () => {
    const map = new TextMap<number>();
    map.set(new TextKey('ab', 'c'), 1);
    expect(map.get(new TextKey('a', 'bc'))).toBeUndefined();
  });

  test('former members do not survive collections of the young generation', () => {
    const set = `${importOf('transientSet.ts', 'TransientSet')} const open = new TransientSet();`;
    const map = `${importOf('transientMap.ts', 'TransientMap')} const open = new TransientMap();`;
    // About 45 MB with a Set or a Map.
    expect(survivingBytes(set, 'open.add(object)', 'open.delete(old)')).toBeLessThan(5e6);
    expect(survivingBytes(map, 'open.set(object, object)', 'open.delete(old)')).toBeLessThan(5e6);
  });

  test('former keys of a text map do not survive collections of the young generation', () => {
    const map = `${importOf('textMap.ts', 'TextKey, TextMap')} const open = new TextMap();`;
    const add = "object.key = new TextKey('', 'x'.repeat(900) + n); open.set(object.key, object)";
    // About 20 MB with texts as the keys of a TransientMap.
    expect(survivingBytes(map, add, 'open.delete(old.key)')).toBeLessThan(5e6);
  });
});
