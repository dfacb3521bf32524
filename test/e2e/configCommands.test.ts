// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to environment variables
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { folder, run, runInProcess, write } from '../harness/commandFolder.ts';
import { demoSupergraphFile } from '../harness/testGateway.ts';

describe('tributary config print', () => {
  test('prints the effective configuration', async () => {
    const config = write('print.yaml', "supergraph: { file: shop.graphql }\nlisten: { port: '${PORT}' }\n");
    const { code, stdout, stderr } = await run(['config', 'print', '--config', config], { PORT: '5001' });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n').slice(0, 28)).toEqual([
      'listen:',
      '  host: 127.0.0.1',
      '  port: 5001',
      '  path: /graphql',
      '  publicUrl: ""',
      '  tls:',
      '    cert: ""',
      '    key: ""',
      '    ca: ""',
      '  compression:',
      '    enabled: true',
      '    minSize: 1KB',
      '    subscriptions: false',
      '    crossOrigin: false',
      '  trustedProxies: []',
      '  timeouts:',
      '    headers: 1m',
      '    request: 5m',
      '    keepAlive: 75s',
      '  shutdownDelay: 2s',
      '  drainTimeout: 30s',
      'admin:',
      '  host: 127.0.0.1',
      '  port: 4001',
      'supergraph:',
      `  file: ${join(folder, 'shop.graphql')}`,
      '  watch: true',
      'subgraphs:',
    ]);
  });

  test('lists every problem of an invalid configuration', async () => {
    const config = write(
      'wrong.yaml',
      'listen: { prot: 1 }\nsubgraphs: { a: { timeouts: { attempt: 5 s } } }\n',
    );
    expect(await runInProcess(['config', 'print', '--config', config])).toEqual({
      code: 2,
      stdout: '',
      stderr: [
        'The configuration is invalid:',
        `  listen.prot is not known; did you mean \`port\`? (${config}:1:11)`,
        `  supergraph is missing; expected: a section with \`file\`, \`url\`, \`subgraphs\` or, in createGateway, \`load\` (${config})`,
        `  subgraphs.a.timeouts.attempt is "5 s"; expected: a duration such as 250ms, 2s, 5m or 1h, at least 1ms and at most 596h (${config}:2:31)`,
        '',
      ].join('\n'),
    });
  });
});

describe('tributary config check', () => {
  test('accepts a configuration whose servers are all down, and prints what a start would warn about', async () => {
    const config = write(
      'checked.yaml',
      [
        `supergraph: { file: ${demoSupergraphFile} }`,
        'redis: { url: redis://127.0.0.1:1 }',
        'cache: { events: { stream: invalidations }, rules: { Product.price: { maxAge: 5s } } }',
        'subscriptions: { topics: { Subscription.stockChanged: { stream: stock } } }',
        'security: { jwt: { issuers: [{ jwks: http://127.0.0.1:1/keys }] }, identity: { claim: sub } }',
        'subgraphs:',
        '  all: { headers: { rules: [{ set: x-user, claim: sub }] } }',
        '  orders: { subscription: { protocol: http_callback } }',
        'telemetry: { otlp: { endpoint: http://127.0.0.1:1 }, metrics: { otlp: true } }',
      ].join('\n'),
    );
    const { stderr, ...outcome } = await runInProcess(['config', 'check', '--config', config]);
    expect(outcome).toEqual({ code: 0, stdout: 'The configuration is valid.\n' });
    expect(stderr).toMatch(
      /^Warning: Tokens that an issuer made for other applications .*\n.*all configured subgraphs .*\{"absent":\["orders"\].*\n$/,
    );
  });

  test('prints every problem of the named files with its line, also as JSON', async () => {
    write(
      'failing.mjs',
      "export default () => { setInterval(() => {}, 1000); throw new Error('no licence'); };",
    );
    const config = write(
      'unusable.yaml',
      [
        'supergraph: { file: absent.graphql }',
        'listen: { tls: { cert: absent.pem, key: absent.pem } }',
        'extensions: [{ module: ./failing.mjs }]',
      ].join('\n'),
    );
    const args = ['config', 'check', '--config', config];
    const [{ code, stderr }, report] = await Promise.all([run(args), run([...args, '--json'])]);
    expect([code, report.code, report.stderr]).toEqual([2, 2, '']);
    const { problems, warnings } = JSON.parse(report.stdout);
    const found = problems.map(({ path, location }: Record<string, string>) => [path, location]);
    expect([found, warnings]).toEqual([
      [
        ['supergraph.file', `${config}:1:15`],
        ['listen.tls.cert', `${config}:2:18`],
        ['listen.tls.key', `${config}:2:36`],
        ['extensions[0].module', `${config}:3:16`],
      ],
      [],
    ]);
    expect(stderr.match(/unusable\.yaml:\d+:\d+\)$/gm)).toHaveLength(problems.length);
  });

  test.each([
    ['a timer', 'setTimeout(() => { throw new Error("no licence"); })'],
    ['a promise', 'Promise.reject(new Error("no licence"))'],
  ])('prints an error of %s of an extension, which no code catches, with its place', async (_, code) => {
    const module = write('uncaught.mjs', `export default () => { ${code}; return { name: 'uncaught' }; };`);
    const config = write(
      'uncaught.yaml',
      `supergraph: { file: ${demoSupergraphFile} }\nextensions: [{ module: ${module} }]`,
    );
    const { code: exitCode, stdout } = await run(['config', 'check', '--config', config, '--json']);
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout).problems).toEqual([
      {
        path: 'extensions',
        message: expect.stringMatching(
          /^have an error that no code catches: no licence \(.*uncaught\.mjs:1:\d+\)$/,
        ),
        expected: 'an `await`, a `catch` or an `error` listener for it',
        location: `${config}:2:1`,
      },
    ]);
  });

  test('names the options that do not fit the supergraph, with their lines', async () => {
    const config = write(
      'misfit.yaml',
      `supergraph: { file: ${demoSupergraphFile} }\ncache: { rules: { Product.stok: { maxAge: 5s } } }\nenrichment:\n  fields:\n    Product.price: {}\n    Product.recommendd: { budget: 1s }\n`,
    );
    expect(await runInProcess(['config', 'check', '--config', config])).toEqual({
      code: 2,
      stdout: '',
      stderr: `The configuration is invalid:\n  enrichment.fields["Product.recommendd"] does not fit the supergraph: Product has no field recommendd; did you mean \`recommended\`? (${config}:6:5)\n  cache.rules["Product.stok"] does not fit the supergraph: Product has no field stok; did you mean \`stock\`? (${config}:2:19)\n`,
    });
  });

  test.each([
    ['broken.graphql', 'hello {', 'Syntax Error: Unexpected Name "hello". (line 1, column 1)'],
    ['schema.graphql', 'type Query { a: Int }', 'the schema has no enum join__Graph'],
  ])('names the file %s that is no supergraph', async (name, text, problem) => {
    const file = write(name, text);
    const { code, stderr } = await runInProcess(['config', 'check', '--supergraph', file]);
    expect(code).toBe(2);
    expect(stderr).toContain(`  supergraph.file is ${file}, which cannot be used: ${problem}`);
  });

  test('warns of trusted documents that the supergraph refuses', async () => {
    const many = Array.from({ length: 200 }, (_, index) => [`d${index}`, `{ me { id } a${index}: nothing }`]);
    write('documents.json', JSON.stringify(Object.fromEntries(many)));
    const config = write(
      'documents.yaml',
      `supergraph: { file: ${demoSupergraphFile} }\nsecurity: { trustedDocuments: { mode: require, manifest: documents.json } }`,
    );
    const { stderr, ...outcome } = await runInProcess(['config', 'check', '--config', config]);
    expect(outcome).toEqual({ code: 0, stdout: 'The configuration is valid.\n' });
    expect(stderr).toMatch(
      /^Warning: Trusted documents are invalid, .*"invalid":200,"documents":200,.*Cannot query field \\"nothing\\"/,
    );
  });

  test('exits with code 3 when a subgraph is down, and with code 2 when options are wrong as well', async () => {
    const supergraph = "supergraph: { subgraphs: [{ name: gone, url: 'http://127.0.0.1:1' }] }";
    const down = write('gone.yaml', supergraph);
    const alsoWrong = write('gone-and-wrong.yaml', `${supergraph}\nextensions: [{ module: ./absent.mjs }]`);
    const [undecided, invalid, report] = await Promise.all([
      runInProcess(['config', 'check', '--config', down]),
      runInProcess(['config', 'check', '--config', alsoWrong]),
      runInProcess(['config', 'check', '--config', down, '--json']),
    ]);
    expect([undecided.code, invalid.code, report.code]).toEqual([3, 2, 3]);
    expect(JSON.parse(report.stdout).problems).toEqual([
      expect.objectContaining({ path: 'supergraph', message: expect.stringContaining('[gone]') }),
    ]);
    for (const { stderr } of [undecided, invalid]) expect(stderr).toContain('SUBGRAPH_UNREACHABLE: [gone]');
    expect(invalid.stderr).toContain('extensions[0].module is ');
  });
});
