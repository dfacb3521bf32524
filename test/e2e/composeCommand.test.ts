import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { startDemoSubgraphs } from '../../subgraphs/demo.ts';
import { folder, runInProcess, write } from '../harness/commandFolder.ts';
import { json, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { serveSdl } from '../harness/serveSdl.ts';

describe('tributary compose', () => {
  test('composes a chain of thousands of types, which the composer follows recursively', async () => {
    const types = Array.from({ length: 4_000 }, (_, index) => `type T${index} { next: T${index + 1} }`);
    await using chain = await serveSdl(`type Query { first: T0 } ${types.join('\n')} type T4000 { id: ID }`);
    const config = write('chain.yaml', `supergraph: { subgraphs: [{ name: chain, url: '${chain.url}' }] }`);
    const { code, stdout } = await runInProcess(['compose', '--config', config]);
    expect([code, stdout.includes('type T4000')]).toEqual([0, true]);
  });

  test('composes running subgraphs into a file that the gateway can load', async () => {
    const subgraphs = await startDemoSubgraphs({ ports: 0 });
    try {
      const entries = subgraphs.all.map(({ name, url }) => `    - { name: ${name}, url: '${url}' }\n`);
      const config = write('compose.yaml', `supergraph:\n  subgraphs:\n${entries.join('')}`);
      const out = join(folder, 'composed.graphql');
      const [toFile, toOutput] = await Promise.all([
        runInProcess(['compose', '--config', config, '--out', out]),
        runInProcess(['compose', '--config', config]),
      ]);
      expect([toFile.code, toFile.stdout, toOutput.code]).toEqual([0, '', 0]);
      expect(readFileSync(out, 'utf8')).toBe(toOutput.stdout);
      expect(toOutput.stdout).toContain('enum join__Graph');
    } finally {
      await subgraphs.close();
    }
  });

  test('reports composition errors, like plan', async () => {
    await using left = await startScriptedSubgraph();
    await using right = await startScriptedSubgraph();
    const sdl = (type: string) => json({ data: { _service: { sdl: `type Query { a: ${type} }` } } });
    left.setDefaultScript(sdl('Int'));
    right.setDefaultScript(sdl('String'));
    const config = write(
      'clash.yaml',
      `supergraph: { subgraphs: [{ name: left, url: '${left.url}' }, { name: right, url: '${right.url}' }] }`,
    );
    const operation = write('clash.graphql', '{ a }');
    const [composed, planned] = await Promise.all([
      runInProcess(['compose', '--config', config]),
      runInProcess(['plan', '--config', config, operation]),
    ]);
    expect(composed.code).toBe(1);
    expect(composed.stderr).toContain('FIELD_TYPE_MISMATCH');
    expect(planned).toEqual(composed);
  });

  test('exits with code 3 when a subgraph is down', async () => {
    const gone = await startScriptedSubgraph();
    await gone.close();
    const config = write('down.yaml', `supergraph: { subgraphs: [{ name: gone, url: '${gone.url}' }] }`);
    const operation = write('down.graphql', '{ a }');
    const [{ code, stderr }, planned] = await Promise.all([
      runInProcess(['compose', '--config', config]),
      runInProcess(['plan', '--config', config, operation]),
    ]);
    expect([code, planned]).toEqual([3, { code, stderr, stdout: '' }]);
    expect(stderr).toMatch(
      /^Nothing was composed, because the schema of a subgraph is missing\. Start the subgraph, or /,
    );
    expect(stderr).toContain(`[gone] The schema could not be fetched from ${gone.url}: connect ECONNREFUSED`);
  });

  test('requires supergraph.subgraphs in the configuration', async () => {
    const config = write('file.yaml', 'supergraph: { file: shop.graphql }');
    expect(await runInProcess(['compose', '--config', config])).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'There is nothing to compose: the configuration has supergraph.file; expected: supergraph.subgraphs.\n',
    });
  });
});
