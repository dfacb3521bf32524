import { describe, expect, test } from '@jest/globals';
import {
  contracts,
  federation,
  products,
  shipping,
  store,
  withoutName,
} from '../harness/contractsCommand.ts';
import { TemporaryContractStore } from '../harness/temporaryContractStore.ts';

describe('contracts can-deploy', () => {
  const running = (gateways: string) => ({
    'contracts/environments.yaml': `live:\n  subgraphs: { products: v1, shipping: v1 }\n  gateways: ${gateways}\n`,
  });
  const canDeploy = async ({ root: cwd }: TemporaryContractStore, subgraph: string, environment = 'live') => {
    const args = ['--subgraph', subgraph, '--environment', environment];
    const { code, stdout } = await contracts(cwd, 'can-deploy', ...args);
    return [code, stdout] as const;
  };

  test('answers yes, no with the reason, or unknown', async () => {
    using disk = new TemporaryContractStore({ ...store, 'name.graphql': withoutName })
      .commit('v1')
      .write(running('v1'));
    expect(await canDeploy(disk, 'shipping')).toEqual([0, 'Yes: shipping can be deployed to live now.\n']);
    expect(await canDeploy(disk, 'products=name.graphql')).toEqual([
      1,
      expect.stringMatching(/^No: products cannot be deployed to live now\.\n\nbreaking {2}field-removed/),
    ]);
    expect(await canDeploy(disk, 'shipping', 'staging')).toEqual([
      2,
      expect.stringMatching(
        /^Whether shipping can be deployed to staging now is not known: [\s\S]*it has live/,
      ),
    ]);
  });

  test('answers in the formats of a check', async () => {
    using disk = new TemporaryContractStore({ ...store, 'name.graphql': withoutName })
      .commit('v1')
      .write(running('v1'));
    const answerIn = async (subgraph: string, ...formats: readonly string[]) =>
      contracts(
        disk.root,
        ...['can-deploy', '--subgraph', subgraph, '--environment', 'live'],
        ...formats.flatMap((format) => ['--format', format]),
      );
    const target = { environment: 'live', steps: [] };
    const yes = await answerIn('shipping', 'json');
    expect([yes.code, JSON.parse(yes.stdout)]).toEqual([
      0,
      {
        version: 1,
        summary: expect.objectContaining({
          verdict: 'passed',
          exitCode: 0,
          deployability: { ...target, subgraph: 'shipping' },
        }),
        findings: [],
      },
    ]);
    const no = await answerIn('products=name.graphql', 'json');
    expect([no.code, JSON.parse(no.stdout)]).toMatchObject([
      1,
      {
        summary: {
          verdict: 'failed',
          exitCode: 1,
          deployability: {
            environment: 'live',
            subgraph: 'products',
            steps: [expect.stringMatching(/^Expand/), expect.any(String), expect.any(String)],
          },
        },
        findings: [{ rule: 'field-removed', severity: 'breaking' }],
      },
    ]);
    const written = await answerIn('products=name.graphql', 'github', 'text');
    expect(written.stdout).toMatch(
      /^::error file=name\.graphql[\s\S]*::No: products cannot be deployed to live now\. 1 breaking; [^\n]*\nNo: products cannot/,
    );
  });

  test('names the subgraph that a misspelled name is similar to', async () => {
    using disk = new TemporaryContractStore(store).commit('v1').write(running('v1'));
    expect(await canDeploy(disk, 'shiping')).toEqual([
      2,
      expect.stringMatching(
        /contracts has no contract of a subgraph "shiping"; it has products, shipping\.\n {2}to do {4}Did you mean shipping\?/,
      ),
    ]);
  });

  test('answers yes although an operation waits for another subgraph', async () => {
    using disk = new TemporaryContractStore(store).commit('v1').write({
      ...running('v1'),
      'contracts/schemas/products.graphql': products.replace('unused: String', 'unused: String vip: Boolean'),
      'contracts/operations/app/vip.graphql': 'query Vip($id: ID!) {\n  product(id: $id) { vip }\n}\n',
    });
    disk.commit('v2');
    expect(await canDeploy(disk, 'shipping')).toEqual([0, 'Yes: shipping can be deployed to live now.\n']);
  });

  test('requires the gateways first until they hold the new supergraph', async () => {
    using disk = new TemporaryContractStore(store).commit('v1').write(running('v1'));
    // Gateways of v1 would not send what the new version requires.
    const wider = shipping
      .replace('"weight"', '"weight size"')
      .replace('estimate:', 'size: Int @external\n  estimate:');
    disk.write({ 'contracts/schemas/shipping.graphql': wider });
    expect(await canDeploy(disk, 'shipping')).toEqual([1, expect.stringContaining('gateway first')]);
    disk.commit('v2').write(running('v2'));
    expect(await canDeploy(disk, 'shipping')).toEqual([0, 'Yes: shipping can be deployed to live now.\n']);
  });

  test('answers yes to the last step of a move, and meanwhile to subgraphs that the move is not about', async () => {
    using disk = new TemporaryContractStore({
      ...store,
      'contracts/schemas/stores.graphql': `${federation}type Query { stores: Int }`,
      'contracts/operations/app/size.graphql': 'query Size($id: ID!) { product(id: $id) { size } }',
    }).commit('v1');
    disk.write({
      'contracts/schemas/products.graphql': products.replace('  size: Int\n', ''),
      'contracts/schemas/shipping.graphql': shipping.replace('estimate:', 'size: Int\n  estimate:'),
      'contracts/schemas/stores.graphql': `${federation}type Query { stores: Int open: Int }`,
    });
    disk.commit('v2');
    // Both subgraphs serve the field, so that what runs does not compose.
    const during = (gateways: string) => ({
      'contracts/environments.yaml': `live:\n  subgraphs: { products: v1, shipping: v2, stores: v1 }\n  gateways: ${gateways}\n`,
    });
    disk.write(during('v1'));
    expect(await canDeploy(disk, 'products')).toEqual([1, expect.stringContaining('gateway first')]);
    expect(await canDeploy(disk, 'stores')).toEqual([0, 'Yes: stores can be deployed to live now.\n']);
    disk.write(during('v2'));
    expect(await canDeploy(disk, 'products')).toEqual([0, 'Yes: products can be deployed to live now.\n']);
  });
});
