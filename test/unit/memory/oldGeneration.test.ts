import { execFile } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { youngGenerationLimit } from '../../../gateway/memory/oldGeneration.ts';

test('the load of a process with a small heap and a large young generation reaches the limit before V8 ends the process', async () => {
  const file = join(import.meta.dirname, '../../../gateway/admission/processLoad.ts');
  const program = `import { ProcessLoad } from ${JSON.stringify(file)};
    const load = new ProcessLoad();
    const used = [];
    do {
      for (let count = 0; count < 1_000; count++) used.push([count]);
    } while (load.readSample().memory < 0.9);
    console.log('shed');`;

  const { stdout } = await promisify(execFile)(process.execPath, [
    '--max-old-space-size=64',
    '--max-semi-space-size=64',
    '--input-type=module',
    '--eval',
    program,
  ]);

  expect(stdout).toBe('shed\n');
});

/** Runs a program with a small heap. Resolves to its output; rejects if V8 has ended the process. */
async function runWithSmallHeap(program: string): Promise<string> {
  const flags = ['--max-old-space-size=64', '--max-semi-space-size=16', '--input-type=module'];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '--eval', program]);
  return stdout;
}

const importOf = (names: string, path: string): string =>
  `import { ${names} } from ${JSON.stringify(join(import.meta.dirname, '../../../gateway', path))};`;

test('a response of a subgraph with more small objects than the heap has room for fails, and the process lives', async () => {
  const output = await runWithSmallHeap(`
    ${importOf('BufferedResponse', 'subgraphs/bufferedResponse.ts')}
    const body = Buffer.from('{"data":{"list":[' + '{},'.repeat(4e6) + '{}]}}');
    new BufferedResponse('a', { status: 200 }, body).read((result) => console.log(result.code));
  `);
  expect(output).toBe('OVERLOADED\n');
});

test('a response of a subgraph fails while many smaller ones, which are in use, fill the heap', async () => {
  const output = await runWithSmallHeap(`
    ${importOf('BufferedResponse', 'subgraphs/bufferedResponse.ts')}
    const body = Buffer.from('{"data":{"list":[' + '{},'.repeat(5e4) + '{}]}}');
    const used = [];
    while (used.length < 100)
      new BufferedResponse('a', { status: 200 }, body).read((result) => used.push(result));
    console.log(used[0].code, used.at(-1).code);
  `);
  expect(output).toBe('undefined OVERLOADED\n');
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
