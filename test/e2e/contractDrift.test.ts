import { renameSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { composeSupergraph } from '../../gateway/supergraph/composeSupergraph.ts';
import { federation } from '../harness/contractsCommand.ts';
import { DriftCommand, runDrift, summarizeFindings } from '../harness/driftCommand.ts';
import { json, type ScriptedSubgraph, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { TemporaryContractStore } from '../harness/temporaryContractStore.ts';

const products = `${federation}
type Query {
  product(id: ID!): Product
}
type Product @key(fields: "id") {
  id: ID!
  name: String!
  unused: String
  weight: Int
}
`;
const rearranged = `${federation}
"A thing on sale."
type Product @key(fields: "id") { weight: Int unused: String name: String! id: ID! }
type Query { product(id: ID!): Product }`;
const withoutName = products.replace('  name: String!\n', '');
const withoutUnused = products.replace('  unused: String\n', '');
const shipping = `${federation}
type Product @key(fields: "id") {
  id: ID!
  weight: Int @external
  estimate: Int @requires(fields: "weight")
}
`;
const page = 'query Page($id: ID!) {\n  product(id: $id) {\n    name\n    estimate\n  }\n}\n';

let productsServer: ScriptedSubgraph;
let shippingServer: ScriptedSubgraph;
let disk: TemporaryContractStore;

beforeAll(async () => {
  productsServer = await startScriptedSubgraph();
  shippingServer = await startScriptedSubgraph();
  serve(shippingServer, shipping);
  disk = new TemporaryContractStore({
    'contracts/schemas/products.graphql': `# @url ${productsServer.url}\n${products}`,
    'contracts/schemas/shipping.graphql': shipping,
    'contracts/operations/shop/page.graphql': page,
  });
});
afterAll(async () => {
  disk[Symbol.dispose]();
  await productsServer.close();
  await shippingServer.close();
});

function serve(subgraph: ScriptedSubgraph, sdl: string): void {
  subgraph.setDefaultScript(json({ data: { _service: { sdl } } }));
}

const where = () => ['--subgraph', 'products', '--subgraph', `shipping=${shippingServer.url}`] as const;

async function supergraphOf(productsSdl: string, shippingSdl: string): Promise<string> {
  const composed = await composeSupergraph([
    { name: 'products', url: 'http://products.test', sdl: productsSdl },
    { name: 'shipping', url: 'http://shipping.test', sdl: shippingSdl },
  ]);
  if (!('sdl' in composed)) throw new Error('It does not compose.');
  return composed.sdl;
}

describe('contracts drift', () => {
  test('reports nothing when only order, layout and descriptions differ', async () => {
    serve(productsServer, rearranged);
    const { code, stdout } = await runDrift(disk.root, ...where(), '--format', 'json');
    expect([code, summarizeFindings(stdout)]).toEqual([0, []]);
  });

  test('names the operations that break, and how to resolve the drift', async () => {
    serve(productsServer, withoutName);
    const { code, stdout } = await runDrift(disk.root, ...where());
    expect(code).toBe(1);
    expect(stdout).toMatch(/^breaking {2}field-removed {2}products {2}Product\.name\n/);
    expect(stdout).toContain('shop/Page (contracts/operations/shop/page.graphql:1:1)');
    expect(stdout).toContain('dangerous  contract-drift  products');
    expect(stdout).toContain(`tributary contracts accept --subgraph products=${productsServer.url}`);
  });

  test('fails for unused elements with --strict only', async () => {
    serve(productsServer, withoutUnused);
    const [loose, strict] = await Promise.all([
      runDrift(disk.root, ...where(), '--format', 'json'),
      runDrift(disk.root, ...where(), '--format', 'json', '--strict'),
    ]);
    const found = ['dangerous contract-drift products', 'dangerous field-removed products'];
    expect([loose.code, summarizeFindings(loose.stdout)]).toEqual([0, found]);
    expect([strict.code, summarizeFindings(strict.stdout)]).toEqual([1, found]);
  });

  test('compares with the running supergraph, whose plans can break although every contract is kept', async () => {
    serve(productsServer, products);
    const compare = async (supergraph: string) => {
      disk.write({ 'supergraph.graphql': supergraph });
      const { code, stdout } = await runDrift(
        disk.root,
        ...where(),
        '--config',
        'file.yaml',
        '--format',
        'json',
      );
      return [code, ...summarizeFindings(stdout)];
    };
    disk.write({ 'file.yaml': 'supergraph: { file: supergraph.graphql }\n' });
    const outdated = await supergraphOf(
      products.replace('weight: Int', 'weight: Int size: Int'),
      shipping
        .replace('Int @external', 'Int @external size: Int @external')
        .replace('"weight"', '"weight size"'),
    );
    expect(await compare(await supergraphOf(products, shipping))).toEqual([0]);
    expect(await compare(outdated)).toEqual([
      1,
      'breaking operation-broken shop/Page',
      'dangerous supergraph-drift products',
      'dangerous supergraph-drift shipping',
    ]);
  });

  test('fetches schemas of protected subgraphs with the configured headers', async () => {
    serve(productsServer, products);
    disk.write({
      'protected.yaml': `supergraph:\n  subgraphs: [{ name: products, url: '${productsServer.url}', headers: { authorization: Bearer key } }]\n`,
    });
    const protectedDrift = async (subgraph: string) => {
      const { code } = await runDrift(disk.root, '--subgraph', subgraph, '--config', 'protected.yaml');
      return [code, productsServer.requests.at(-1)?.headers.get('authorization')];
    };
    expect(await protectedDrift('products')).toEqual([0, 'Bearer key']);
    // Another origin of the same server.
    const other = productsServer.url.replace('127.0.0.1', 'localhost');
    expect(await protectedDrift(`products=${other}`)).toStrictEqual([0, undefined]);
    // The key of a subgraph that is not compared may be unknown here.
    disk.write({
      'protected.yaml': `supergraph:
  subgraphs:
    - { name: products, url: '${productsServer.url}', headers: { authorization: Bearer key } }
    - { name: shipping, url: 'http://shipping.test', headers: { authorization: '$\{KEY_OF_SHIPPING}' } }
`,
    });
    expect(await protectedDrift('products')).toEqual([0, 'Bearer key']);
    expect(await protectedDrift('shipping')).toEqual([2, 'Bearer key']);
  });

  test('fetches the schema of a subgraph with several addresses from the first one', async () => {
    disk.write({
      'several.graphql': await supergraphOf(products, shipping),
      'several.yaml': `supergraph: { file: several.graphql }
subgraphs: { shipping: { urls: ['${shippingServer.url}', 'http://other.test/'] } }\n`,
    });
    const before = shippingServer.requests.length;
    const { code } = await runDrift(disk.root, '--subgraph', 'shipping', '--config', 'several.yaml');
    expect([code, shippingServer.requests.length > before]).toEqual([0, true]);
  });

  test('is about the named subgraphs only', async () => {
    await using gone = await startScriptedSubgraph();
    gone.setDefaultScript((exchange) => exchange.reset());
    serve(productsServer, withoutName);
    const outdated = await supergraphOf(
      products,
      shipping.replace('estimate: Int', 'estimate: Int later: Int'),
    );
    // Neither the unreachable subgraph nor the one of the running supergraph that differs is named.
    disk.write({
      'supergraph.graphql': outdated,
      'all.yaml': `supergraph: { file: supergraph.graphql }\nsubgraphs: { shipping: { url: '${gone.url}' } }\n`,
    });
    const drift = async (...names: readonly string[]) => {
      const subgraphs = names.flatMap((name) => ['--subgraph', name]);
      const { code, stdout } = await runDrift(
        disk.root,
        ...subgraphs,
        '--config',
        'all.yaml',
        '--format',
        'json',
      );
      return [code, ...summarizeFindings(stdout)];
    };
    expect(await drift('products')).toEqual([
      1,
      'breaking field-removed products shop/Page expand and contract',
      'dangerous supergraph-drift products',
      'dangerous contract-drift products',
    ]);
    serve(productsServer, products);
    expect(await drift('products')).toEqual([0]);
    expect(gone.requests).toEqual([]);
    expect(await drift('shipping')).toEqual([
      1,
      'breaking operation-broken shop/Page',
      'undecided subgraph-unreachable shipping',
      'dangerous supergraph-drift shipping',
    ]);
    expect(await drift('product')).toEqual([2, 'misuse argument-invalid product']);
    const added = await runDrift(disk.root, '--subgraph', `product=${shippingServer.url}`);
    expect(added.stdout).toMatch(/contract-missing {2}product\n[\s\S]*did you mean products\?/);
  });

  test('is undecided when a subgraph or a gateway fails twice', async () => {
    await using gone = await startScriptedSubgraph();
    gone.setDefaultScript((exchange) => exchange.reset());
    serve(productsServer, products);
    const unreachable = await runDrift(disk.root, '--subgraph', `shipping=${gone.url}`, '--format', 'json');
    expect([unreachable.code, summarizeFindings(unreachable.stdout)]).toEqual([
      3,
      ['undecided subgraph-unreachable shipping'],
    ]);
    expect(gone.requests).toHaveLength(2);
    const nowhere = await runDrift(disk.root, '--gateway', gone.url, '--format', 'json');
    expect([nowhere.code, summarizeFindings(nowhere.stdout).sort()]).toEqual([
      3,
      ['undecided gateway-unreachable', 'undecided subgraph-unreachable shipping'],
    ]);
  });

  test('reads the supergraph of a gateway through the proxy that the environment names', async () => {
    await using proxy = await startScriptedSubgraph();
    serve(productsServer, products);
    const sdl = await supergraphOf(products, shipping);
    const subgraphs = [{ name: 'shipping', url: shippingServer.url }];
    proxy.setDefaultScript(json({ supergraph: { sdl, subgraphs } }));
    process.env.http_proxy = proxy.url;
    try {
      const { code, stdout } = await runDrift(
        disk.root,
        '--gateway',
        'http://gateway.invalid',
        '--format',
        'json',
      );
      expect([code, summarizeFindings(stdout)]).toEqual([0, []]);
    } finally {
      delete process.env.http_proxy;
    }
    expect(proxy.requests.map(({ path }) => path)).toEqual(['http://gateway.invalid/supergraph']);
  });

  test('ends with --watch when the reader of its reports has exited', async () => {
    serve(productsServer, products);
    await using watching = new DriftCommand(disk.root, ...where(), '--watch', '--interval', '100ms');
    watching.child.stdout?.destroy();
    expect(await watching.ended).toMatchObject({ code: 0, stderr: '' });
  });

  test('reports changes with --watch, and ends with the last exit code', async () => {
    serve(productsServer, products);
    await using watching = new DriftCommand(disk.root, ...where(), '--watch', '--interval', '100ms');
    await watching.waitForOutput(/1 operation checked/);
    serve(productsServer, withoutUnused);
    await watching.waitForOutput(/: 2 new, 0 resolved\n/);
    await watching.waitForOutput(/dangerous {2}field-removed {2}products {2}Product\.unused/);
    serve(productsServer, withoutName);
    await watching.waitForOutput(/: 1 new, 1 resolved\n/);
    await watching.waitForOutput(/resolved {2}field-removed {2}products {2}Product\.unused\n/);
    const requestCount = productsServer.requests.length;
    await productsServer.waitForRequests(requestCount + 2);
    const before = watching.stdout;
    await productsServer.waitForRequests(requestCount + 4);
    expect(watching.stdout).toBe(before);
    watching.child.kill('SIGINT');
    expect((await watching.ended).code).toBe(1);
  });

  test('continues with --watch while the supergraph cannot be read', async () => {
    serve(productsServer, products);
    const sdl = await supergraphOf(products, shipping);
    disk.write({ 'watched.graphql': sdl, 'watched.yaml': 'supergraph: { file: watched.graphql }\n' });
    const args = [...where(), '--config', 'watched.yaml', '--watch', '--interval', '100ms'];
    await using watching = new DriftCommand(disk.root, ...args);
    await watching.waitForOutput(/1 operation checked/);
    renameSync(disk.path('watched.graphql'), disk.path('away.graphql'));
    await watching.waitForOutput(/gateway-unreachable/);
    renameSync(disk.path('away.graphql'), disk.path('watched.graphql'));
    await watching.waitForOutput(/: 0 new, 1 resolved\n/);
    watching.child.kill('SIGINT');
    expect((await watching.ended).code).toBe(0);
  });

  test.each([
    [
      ['--interval', 'soon'],
      '--interval is "soon"; expected: a duration longer than 0, such as 500ms, 30s or 5m.\n',
    ],
    [
      ['--subgraph', 'products=file.graphql'],
      '--subgraph is "products=file.graphql"; expected: the NAME of a subgraph, or NAME=URL.\n',
    ],
    [
      ['--gateway', 'localhost'],
      '--gateway is "localhost"; expected: the URL of an admin listener, such as http://127.0.0.1:4001.\n',
    ],
  ])('refuses %p', async (args, message) => {
    expect(await runDrift(disk.root, ...args)).toEqual({ code: 2, stdout: '', stderr: message });
  });
});
