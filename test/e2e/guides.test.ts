import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { codeBlocksOf, readPages } from '../harness/documentation.ts';
import { PageRunner, ScriptThread } from '../harness/pageRunner.ts';
import { type DedicatedRedisServer, startDedicatedRedis } from '../harness/redis.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';

const guides = (await readPages()).filter(({ path }) => /^docs\/guides\/(?!README)/.test(path));
const scripts = new ScriptThread();

let directory: string;
let redis: DedicatedRedisServer;
beforeAll(async () => {
  directory = createTemporaryDirectory();
  redis = await startDedicatedRedis();
});
afterAll(async () => {
  await scripts[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

test.each(guides.map((guide) => [guide.path, guide] as const))(
  'a reader can follow %s in an empty folder, and then once more',
  async (path, guide) => {
    const ports = new Map([['6379', redis.port]]);
    const folder = join(directory, path.replaceAll('/', '-'));
    await using runner = await PageRunner.start({ directory: folder, scripts, ports });
    const blocks = codeBlocksOf(guide);
    await runner.run(blocks);
    await runner.run(blocks);
  },
);

test('each guide has fewer than 120 lines', () => {
  const lengths = guides.map(({ path, text }) => [path, text.trimEnd().split('\n').length] as const);
  expect(lengths.filter(([, length]) => length >= 120)).toEqual([]);
  expect(lengths).toHaveLength(8);
});

test('guides create subgraphs as @apollo/subgraph 2.14 and 2.15 accept them: from a list of modules', () => {
  const calls = guides.flatMap(({ text }) => text.match(/buildSubgraphSchema\(./g) ?? []);
  expect(new Set(calls)).toEqual(new Set(['buildSubgraphSchema([']));
});
