import { execFile } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { youngGenerationLimit } from '../../../gateway/memory/oldGeneration.ts';

/** Runs a program with a small heap. Resolves to its output; rejects if V8 has ended the process. */
async function runWithSmallHeap(program: string, oldGenerationMb = 64, semiSpaceMb = 16): Promise<string> {
  const sizes = [`--max-old-space-size=${oldGenerationMb}`, `--max-semi-space-size=${semiSpaceMb}`];
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...sizes,
    '--input-type=module',
    '--eval',
    program,
  ]);
  return stdout;
}

const importOf = (names: string, path: string): string =>
  `import { ${names} } from ${JSON.stringify(join(import.meta.dirname, '../../../gateway', path))};`;

test('the load of a process with a small heap and a large young generation reaches the limit before V8 ends the process', async () => {
  const program = `
    ${importOf('ProcessLoad', 'admission/processLoad.ts')}
    const load = new ProcessLoad();
    let used;
    do {
      for (let count = 0; count < 1_000; count++) used = { used, list: [count] };
    } while (load.readSample().memory < 0.9);
    console.log('shed');
  `;
  // A smaller heap may be full after one collection of the young generation.
  expect(await runWithSmallHeap(program, 256, 64)).toBe('shed\n');
});

test('a response of a subgraph with more small objects than the heap has room for fails, and the process lives', async () => {
  const output = await runWithSmallHeap(`
    ${importOf('BufferedResponse', 'subgraphs/bufferedResponse.ts')}
    const body = Buffer.from('{"data":{"list":[' + '{},'.repeat(4e6) + '{}]}}');
    new BufferedResponse('a', { status: 200 }, body).read((result) => console.log(result.code));
  `);
  expect(output).toBe('OVERLOADED\n');
});

test('a response of a subgraph fails while many smaller ones, which are in use, fill the heap', async () => {
  const program = `
    ${importOf('BufferedResponse', 'subgraphs/bufferedResponse.ts')}
    const body = Buffer.from('{"data":{"list":[' + '{},'.repeat(5e4) + '{}]}}');
    const used = [];
    while (used.length < 200)
      new BufferedResponse('a', { status: 200 }, body).read((result) => used.push(result));
    console.log(used[0].code, used.at(-1).code);
  `;
  expect(await runWithSmallHeap(program, 256)).toBe('undefined OVERLOADED\n');
});

test('a response with more errors than the heap has room for fails, and the process lives', async () => {
  const output = await runWithSmallHeap(`
    ${importOf('runInSlices', 'time/slicedTask.ts')}
    ${importOf('shapeData', 'response/shapeData.ts')}
    import { buildSchema, GraphQLList, GraphQLInt } from 'graphql';
    const schema = buildSchema('type Query { list: [Int] }');
    const type = schema.getQueryType();
    const field = { responseName: 'list', internalName: 'list', fieldName: 'list', type: new GraphQLList(GraphQLInt), enrichmentGroups: [] };
    const set = { collect: () => ({ fields: [field], deferred: [] }) };
    const task = shapeData(schema, set, type, { list: Array(3e6).fill('x') }, []);
    runInSlices(task, () => console.log('shaped'), (error) => console.log(error.code));
  `);
  expect(output).toBe('OVERLOADED\n');
});

test.each([
  ['--max-old-space-size=640', 96],
  ['--max-semi-space-size=64', 192],
  ['--max_semi_space_size=5', 24],
  ['--max-semi-space-size=8 --max-semi-space-size=48 --experimental', 192],
  ['--max-semi-space-size=0', 96],
])('with %j, V8 reserves %i MiB for the young generation', (flags, megabytes) => {
  expect(youngGenerationLimit(flags)).toBe(megabytes * 1024 ** 2);
});
