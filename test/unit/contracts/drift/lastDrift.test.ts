import { expect, test } from '@jest/globals';
import { LastDrift } from '../../../../contracts/drift/lastDrift.ts';

test('repeated checks compare again only when something has changed, or could not be compared', async () => {
  const last = new LastDrift();
  const found: string[] = [];
  const check = (...inputs: unknown[]) =>
    last.update(inputs, async () => {
      found.push(JSON.stringify(inputs));
      return { subgraphs: [], findings: [] };
    });
  const first = await check('store', [{ name: 'a', sdl: '1' }]);
  expect(await check('store', [{ name: 'a', sdl: '1' }])).toBe(first);
  expect(found).toHaveLength(1);
  await check('store', [{ name: 'a', sdl: '2' }]);
  expect(found).toHaveLength(2);
  const unreachable = (reason: string) => check([{ name: 'a', unreachable: reason }]);
  await unreachable('request 0d9c-17 failed with 503');
  await unreachable('request 2fe0-18 failed with 503');
  expect(found).toHaveLength(3);
  await unreachable('connection refused');
  expect(found).toHaveLength(4);
  await expect(last.update(['other'], () => Promise.reject(new Error('no memory')))).rejects.toThrow();
  await check('other');
  expect(found).toHaveLength(5);
});
