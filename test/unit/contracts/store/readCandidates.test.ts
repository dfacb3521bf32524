import { describe, expect, test } from '@jest/globals';
import { readCandidates } from '../../../../contracts/store/readCandidates.ts';
import { json, reset, startScriptedSubgraph } from '../../../harness/scriptedSubgraph.ts';
import { TemporaryContractStore } from '../../../harness/temporaryContractStore.ts';

const sdl = 'type Query { a: Int }';
const answer = json({ data: { _service: { sdl } } });
const options = { known: new Map(), retryAfterMs: 0 };

describe('readCandidates', () => {
  test('reads files and running subgraphs', async () => {
    await using running = await startScriptedSubgraph();
    running.setDefaultScript(answer);
    using disk = new TemporaryContractStore({ 'products.graphql': sdl });
    const file = disk.path('products.graphql');
    const read = await readCandidates([`products=${file}`, `reviews=${running.url}`], options);
    expect(read).toEqual({
      contracts: new Map([
        ['products', { name: 'products', url: 'http://products.invalid/', file, sdl }],
        ['reviews', { name: 'reviews', url: running.url, file: running.url, sdl }],
      ]),
      problems: [],
    });
  });

  test('gives a candidate the URL of its contract', async () => {
    await using running = await startScriptedSubgraph();
    running.setDefaultScript(answer);
    using disk = new TemporaryContractStore({ 'products.graphql': sdl });
    const agreed = (name: string, url = 'https://agreed.test/') => ({ name, url, file: '', sdl });
    const known = new Map([
      ['products', agreed('products')],
      ['reviews', agreed('reviews')],
      ['accounts', agreed('accounts', 'http://accounts.invalid/')],
    ]);
    const { contracts } = await readCandidates(
      [`products=${disk.path('products.graphql')}`, `reviews=${running.url}`, `accounts=${running.url}`],
      { ...options, known },
    );
    expect([...contracts.values()].map(({ url }) => url)).toEqual([
      'https://agreed.test/',
      'https://agreed.test/',
      running.url,
    ]);
  });

  test('tries a subgraph that does not answer twice', async () => {
    await using running = await startScriptedSubgraph();
    running.enqueueScripts(reset, answer);
    const { contracts, problems } = await readCandidates([`reviews=${running.url}`], options);
    expect([contracts.get('reviews')?.sdl, problems, running.requests.length]).toEqual([sdl, [], 2]);
  });

  test('reports a subgraph that fails twice as undecided', async () => {
    await using running = await startScriptedSubgraph();
    running.enqueueScripts(reset, ({ respond }) => respond({ status: 503, body: 'not now' }));
    const { contracts, problems } = await readCandidates([`reviews=${running.url}`], options);
    expect([contracts.size, running.requests.length]).toEqual([0, 2]);
    expect(problems).toEqual([
      {
        rule: 'subgraph-unreachable',
        severity: 'undecided',
        message: `${running.url} did not give its schema: the response (status 503) is not JSON. Both attempts failed.`,
        advice: 'Start the subgraph, or check a file with its SDL (--subgraph NAME=FILE).',
        subgraph: 'reviews',
      },
    ]);
  });

  test.each([
    [
      'the response (status 401) is not JSON',
      /^The subgraph wants credentials: give them in the headers of reviews/,
    ],
    ['the response (status 403) has errors: no', /^The subgraph wants credentials/],
    [
      'the response (status 200) has errors: Introspection is off.',
      /answers `{ _service { sdl } }` to this client/,
    ],
    [
      'the response (status 200) has no SDL at data._service.sdl',
      /answers `{ _service { sdl } }` to this client/,
    ],
    ['self-signed certificate', /subgraphs\.reviews\.tls\.ca .* NODE_EXTRA_CA_CERTS\.$/],
    [
      'Connection to establish proxy tunnel ended unexpectedly',
      /^Correct the proxy that HTTPS_PROXY names, .* NO_PROXY\.$/,
    ],
    ['connect ECONNREFUSED 127.0.0.1:9', /^Start the subgraph, or check a file/],
  ])('says what to do about a subgraph that gives no schema: %s', async (reason, advice) => {
    const fetchSdl = () => Promise.reject(new Error(reason));
    const { problems } = await readCandidates(['reviews=http://a.test/'], { ...options, fetchSdl });
    expect(problems).toMatchObject([
      {
        message: `http://a.test/ did not give its schema: ${reason.replace(/\.$/, '')}. Both attempts failed.`,
        advice: expect.stringMatching(advice),
      },
    ]);
  });

  test('removes credentials from URLs', async () => {
    const requested: string[] = [];
    const fetchSdl = async ({ url }: { readonly url: string }) => {
      requested.push(url);
      if (url.endsWith('/down')) throw new Error('nobody there');
      return sdl;
    };
    const from = ['products=http://me:secret@a.test/graphql', 'reviews=http://me:secret@a.test/down'];
    const { contracts, problems } = await readCandidates(from, { ...options, fetchSdl });
    expect(requested).toContain('http://me:secret@a.test/graphql');
    expect(contracts.get('products')).toEqual({
      name: 'products',
      url: 'http://a.test/graphql',
      file: 'http://a.test/graphql',
      sdl,
    });
    expect(problems.map(({ message }) => message)).toEqual([
      'http://a.test/down did not give its schema: nobody there. Both attempts failed.',
    ]);
  });

  test('reports every wrong argument', async () => {
    await using running = await startScriptedSubgraph();
    running.setDefaultScript(json({ data: { _service: { sdl: 'type Query {' } } }));
    using disk = new TemporaryContractStore({
      'broken.graphql': 'type Query {\n  a Int }',
      'fine.graphql': sdl,
    });
    disk.write({ 'latin.graphql': Uint8Array.of(0x23, 0xe4) });
    const { contracts, problems } = await readCandidates(
      [
        'products',
        '=x',
        'products=',
        'products=http://',
        `a=${disk.path('nowhere.graphql')}`,
        `b=${disk.root}`,
        `c=${disk.path('latin.graphql')}`,
        `d=${disk.path('broken.graphql')}`,
        `e=${running.url}`,
        `f=${disk.path('fine.graphql')}`,
        `f=${disk.path('fine.graphql')}`,
      ],
      options,
    );
    expect([...contracts.keys()]).toEqual(['f']);
    const reported = problems.map(({ severity, rule, message, location }) => {
      expect(severity).toBe('misuse');
      const where = location === undefined ? '' : `${location.file}:${location.line}:${location.column} `;
      return `${where}${rule}: ${message}`.replaceAll(disk.root, '').replaceAll(running.url, 'URL');
    });
    expect(reported).toEqual([
      'argument-invalid: "products" does not name a candidate.',
      'argument-invalid: "=x" does not name a candidate.',
      'argument-invalid: "products=" does not name a candidate.',
      'argument-invalid: "products=http://" does not name a candidate.',
      '/nowhere.graphql:1:1 candidate-unreadable: /nowhere.graphql does not exist.',
      ':1:1 candidate-unreadable:  is a directory.',
      '/latin.graphql:1:1 candidate-unreadable: /latin.graphql is not UTF-8 text.',
      '/broken.graphql:2:5 schema-unparseable: Syntax Error: Expected ":", found Name "Int".',
      'URL:1:13 schema-unparseable: Syntax Error: Expected Name, found <EOF>.',
      'argument-invalid: --subgraph f is given twice.',
    ]);
  });
});
