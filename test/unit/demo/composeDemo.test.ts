import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { composeDemo, demoSupergraphFile } from '../../../subgraphs/shared/composeDemo.ts';

test('the committed supergraph of the demo is current (otherwise run `node subgraphs/shared/composeDemo.ts`)', () => {
  expect(readFileSync(demoSupergraphFile, 'utf8')).toBe(composeDemo());
});
