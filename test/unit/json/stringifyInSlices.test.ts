import { expect, test } from '@jest/globals';
import { stringifyInSlices } from '../../../gateway/json/stringifyInSlices.ts';

test.each([
  ['lists', '[', '1', ']'],
  ['objects', '{"a":', '1', '}'],
])(
  'yields at each level of %s that are nested deep, of which each has to be measured',
  (_, open, leaf, close) => {
    const text = `${open.repeat(17_000)}${leaf}${close.repeat(17_000)}`;
    let written = '';
    let yields = 0;
    for (const _ of stringifyInSlices(JSON.parse(text), (part) => (written += part))) yields += 1;
    expect(written).toBe(text);
    expect(yields).toBeGreaterThan(600);
  },
);
