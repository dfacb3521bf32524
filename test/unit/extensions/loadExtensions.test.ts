import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { ConfigError } from '../../../gateway/config/configError.ts';
import type { Extension, ExtensionFactory } from '../../../gateway/extensions/extension.ts';
import { loadExtensions } from '../../../gateway/extensions/loadExtensions.ts';
import { createGateway, defineExtension, type GatewayOptions } from '../../../gateway/gateway.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

const log = pino({ level: 'silent' });
const hooks =
  'name, requestContext, subgraphHeaders, onPlan, onSubgraphRequest, onSubgraphResponse, onResponse, onPayload, decidePolicies, admitSupergraph, publicRoutes, adminRoutes, readiness, close';

const directory = createTemporaryDirectory();

async function writeModule(name: string, code: string): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, code);
  return file;
}

async function problemsOf(...entries: readonly unknown[]): Promise<unknown> {
  const error = await loadExtensions(entries as Extension[], log).catch((thrown: ConfigError) => thrown);
  return 'problems' in error
    ? error.problems.map(({ path, message, expected }) => [path, message, expected])
    : [];
}

describe('modules', () => {
  test('export an extension, or a function that gets the options and may be async', async () => {
    const plain = await writeModule('plain.mjs', "export default { name: 'plain' };");
    const factory = await writeModule(
      'factory.ts',
      'export default async (options: object, { log }: { log: object }) => ({ name: JSON.stringify([options, typeof log]) });',
    );
    const common = await writeModule('common.cjs', "module.exports = () => ({ name: 'common' });");
    const compiled = await writeModule(
      'compiled.cjs',
      "Object.defineProperty(exports, '__esModule', { value: true }); exports.default = { name: 'compiled' };",
    );
    const extensions = await loadExtensions(
      [{ module: plain }, { module: factory, options: { a: 1 } }, { module: common }, { module: compiled }],
      log,
    );
    expect(extensions.map(({ name }) => name)).toEqual(['plain', '[{"a":1},"object"]', 'common', 'compiled']);
  });

  test('get a log whose level changes with that of the gateway', async () => {
    const ofGateway = pino({ level: 'info' });
    const code = "export default (_, { log }) => ({ name: 'level', readiness: () => log.level });";
    const [extension] = await loadExtensions([{ module: await writeModule('level.mjs', code) }], ofGateway);
    ofGateway.level = 'debug';
    expect(extension?.readiness?.()).toBe('debug');
  });

  test('get a log whose lines keep their own level, time and message', async () => {
    const lines: string[] = [];
    const ofGateway = pino({ base: null, timestamp: false }, { write: (line) => void lines.push(line) });
    const code = `export default (_, { log }) => {
      log.warn({ level: 'gold', msg: 'hello', a: 1 }, 'A customer has a level');
      log.info('Loaded');
      return { name: 'levels' };
    };`;
    await loadExtensions([{ module: await writeModule('levels.mjs', code) }], ofGateway);
    const extension = JSON.stringify(join(directory, 'levels.mjs'));
    expect(lines).toEqual([
      `{"level":40,"extension":${extension},"level_":"gold","msg_":"hello","a":1,"msg":"A customer has a level"}\n`,
      `{"level":30,"extension":${extension},"msg":"Loaded"}\n`,
    ]);
  });

  test('of a package are found in the working directory', async () => {
    const cwd = process.cwd();
    await mkdir(join(directory, 'node_modules/acme-extension'), { recursive: true });
    await writeModule('node_modules/acme-extension/index.js', "module.exports = { name: 'acme' };");
    try {
      process.chdir(directory);
      expect(await loadExtensions([{ module: 'acme-extension' }], log)).toMatchObject([{ name: 'acme' }]);
    } finally {
      process.chdir(cwd);
    }
  });

  test('that do not end are reported when their time is over, even if a `close` does not end', async () => {
    const waiting = await writeModule('waiting.mjs', 'await new Promise(() => {});');
    const endless = await writeModule('endless.mjs', 'export default () => new Promise(() => {});');
    const entries = [
      { module: waiting },
      { module: endless },
      { name: 'a', close: () => new Promise<void>(() => {}) },
    ];
    const error = await loadExtensions(entries, log, [], 100).catch((thrown: ConfigError) => thrown);
    expect(error).toMatchObject({
      problems: [
        {
          path: 'extensions[0].module',
          message: `is "${waiting}", which could not be loaded: it did not end within 0.1 s`,
        },
        {
          path: 'extensions[1].module',
          message: `is "${endless}", whose function failed: it did not end within 0.1 s`,
        },
      ],
    });
  });

  test('with the syntax of ES modules in a CommonJS package, as npm init creates it, are refused with what to do', async () => {
    await mkdir(join(directory, 'commonjs'), { recursive: true });
    await writeModule('commonjs/package.json', '{ "type": "commonjs" }');
    const importing = await writeModule(
      'commonjs/importing.ts',
      "import { sep } from 'node:path';\nexport default { name: sep as string };",
    );
    const exporting = await writeModule('commonjs/exporting.js', "export default { name: 'a' };");
    const expected = 'a file named .mts or .mjs, or `"type": "module"` in the package.json of the file';
    expect(await problemsOf({ module: importing }, { module: exporting })).toEqual([
      ['extensions[0].module', expect.stringContaining('could not be loaded: '), expected],
      ['extensions[1].module', expect.stringContaining('could not be loaded: '), expected],
    ]);
  });

  test('that cannot be used are all reported, each with the reason', async () => {
    const none = await writeModule('none.mjs', 'export const extension = {};');
    const broken = await writeModule('broken.mjs', 'export default {');
    const failing = await writeModule('failing.mjs', "export default () => { throw new Error('no url'); };");
    const number = await writeModule('number.mjs', 'export default () => 7;');
    const missing = join(directory, 'missing.mjs');
    expect(
      await problemsOf(
        { module: missing },
        { module: 'not-a-package' },
        { module: none },
        { module: broken },
        { module: failing },
        { module: number },
      ),
    ).toEqual([
      ['extensions[0].module', `is "${missing}", which does not exist`, 'an existing file'],
      [
        'extensions[1].module',
        expect.stringContaining('is "not-a-package", which could not be loaded: Cannot find package'),
        '',
      ],
      [
        'extensions[2].module',
        `is "${none}", which has no default export`,
        '`export default defineExtension({ … })`, or a function that returns an extension',
      ],
      [
        'extensions[3].module',
        `is "${broken}", which could not be loaded: Unexpected end of input`,
        `valid syntax: \`node ${broken}\` prints the line`,
      ],
      ['extensions[4].module', `is "${failing}", whose function failed: no url (${failing}:1:30)`, ''],
      ['extensions[5].module', 'gives a number', 'an extension: an object with a `name` and hooks'],
    ]);
  });
});

test('a module whose import fails is refused with the file and the line of the mistake', async () => {
  const undefinedName = await writeModule('undefinedName.mjs', 'export const a = 1;\nnoSuchName();');
  const importing = await writeModule('importing.mjs', "import './undefinedName.mjs';\nexport default {};");
  const enumeration = await writeModule(
    'enumeration.ts',
    'export const a = 1;\nenum Kind { A }\nexport default {};',
  );
  const wrongImport = await writeModule('wrongImport.mjs', "import { b } from './undefinedName.mjs';");
  const gone = await writeModule('gone.mjs', "import './noSuchFile.mjs';");
  const modules = [importing, enumeration, wrongImport, gone];
  const reasons = [
    `noSuchName is not defined (${undefinedName}:2:1)`,
    `TypeScript enum is not supported in strip-only mode (${enumeration}:2)`,
    `The requested module './undefinedName.mjs' does not provide an export named 'b' (${wrongImport}:1)`,
    `Cannot find module '${join(directory, 'noSuchFile.mjs')}' imported from ${gone}`,
  ];
  expect(await problemsOf(...modules.map((module) => ({ module })))).toEqual(
    modules.map((module, index) => [
      `extensions[${index}].module`,
      `is "${module}", which could not be loaded: ${reasons[index]}`,
      '',
    ]),
  );
});

describe('an extension', () => {
  test('with an unknown name among its hooks is refused with the nearest hook and all of them', async () => {
    expect(await problemsOf({ name: 'a', onRespons() {}, helper: 1 })).toEqual([
      [
        'extensions[0]',
        'gives the extension "a", whose `onRespons` is not a hook; did you mean `onResponse`?',
        `one of ${hooks}`,
      ],
      ['extensions[0]', 'gives the extension "a", whose `helper` is not a hook', `one of ${hooks}`],
    ]);
  });

  test('of a class may have methods of its own, but no misspelled hooks', async () => {
    class Fine {
      readonly name = 'fine';
      readonly #count = 1;
      onPlan(): void {}
      describe(): number {
        return this.#count;
      }
    }
    class Misspelled extends Fine {
      override readonly name = 'fine' as const;
      onPlann(): void {}
    }
    expect(await problemsOf(new Fine())).toEqual([]);
    expect(await problemsOf(new Misspelled())).toEqual([
      [
        'extensions[0]',
        'gives the extension "fine", whose `onPlann` is not a hook; did you mean `onPlan`?',
        `one of ${hooks}`,
      ],
    ]);
  });

  test.each([
    [null, 'gives null', 'an extension: an object with a `name` and hooks'],
    [[], 'gives a list', 'an extension: an object with a `name` and hooks'],
    [{ name: '' }, 'gives an extension without a name', 'a `name`'],
    [{ name: 'a', onPlan: 1 }, 'gives the extension "a", whose `onPlan` is not a function', 'a function'],
    [
      { name: 'a', publicRoutes: [{ method: 'GET', path: 'a', handle() {} }] },
      'gives the extension "a", whose `publicRoutes` are not routes',
      "a list of { method: GET | HEAD | POST | PUT | PATCH | DELETE, path: '/…', handle(request) }",
    ],
  ])('that is not valid is refused: %j', async (extension, message, expected) => {
    expect(await problemsOf(extension)).toEqual([['extensions[0]', message, expected]]);
  });

  test('may have any object type as its context, or none', async () => {
    // The compiler checks this test. An interface has no index signature.
    interface TenantContext {
      readonly tenant: string;
    }
    const requestContext = (): TenantContext => ({ tenant: 'acme' });
    const typed = defineExtension<TenantContext>({ name: 'typed', requestContext });
    const recorder = defineExtension({ name: 'recorder', requestContext() {} });
    const factory: ExtensionFactory = () => typed;
    expect(factory({}, { log })).toBe(typed);
    const options: GatewayOptions = { supergraph: { file: 'none.graphql' }, extensions: [typed, recorder] };
    expect(await loadExtensions(options.extensions ?? [], log)).toEqual([typed, recorder]);
  });

  test('with the name of another one is refused', async () => {
    expect(await problemsOf({ name: 'a' }, { name: 'a' })).toEqual([
      ['extensions[1]', 'has the name "a" of extensions[0]', 'extensions with different names'],
    ]);
  });

  test.each([
    ['/health/live', 'which exists already; expected: another path'],
    ['/graphql', 'which exists already; expected: another path'],
    ['/files/*/name', 'whose path is not valid: Wildcard must be the last character in the route'],
    ['/files/:name(', 'whose path is not valid: Invalid regexp expression in "/files/:name("'],
  ])('cannot have the route %s, %s', async (path, message) => {
    const gateway = await createGateway({
      supergraph: { file: join(directory, 'none.graphql') },
      listen: { port: 0 },
      admin: { port: 0 },
      telemetry: { logLevel: 'silent' },
      contracts: { guard: 'off' },
      extensions: [
        { name: 'a', publicRoutes: [{ method: 'GET', path, handle: () => new Response('mine') }] },
      ],
    });
    await expect(gateway.start()).rejects.toThrow(
      `extensions has the extension "a" with the route GET ${path}, ${message}`,
    );
    await gateway.close();
  });

  test('that is refused fails createGateway, and others are not frozen with the configuration', async () => {
    const supergraph = { file: 'none.graphql' };
    const state = { count: 0 };
    const counter = Object.assign({ name: 'counter' }, { state });
    const invalid = createGateway({ supergraph, extensions: [counter] });
    await expect(invalid).rejects.toThrow('whose `state` is not a hook');
    expect([Object.isFrozen(counter), Object.isFrozen(state)]).toEqual([false, false]);
    await expect(createGateway({ supergraph, extensions: [{ module: '' }, { name: 'a' }] })).rejects.toThrow(
      'extensions[0].module is ""',
    );
    const factory = (() => counter) as never;
    for (const entry of [factory, { name: '' }])
      await expect(createGateway({ supergraph, extensions: [entry] })).rejects.toThrow(
        /extensions\[0\] gives an? /,
      );
  });

  test('of a module gets the very objects of its options, which are not frozen with the configuration', async () => {
    const pool: Record<string, unknown> = { key: Buffer.from('key') };
    pool.self = pool;
    const code =
      'export default ({ pool }) => ({ name: String(Object.keys(pool)), close() { pool.isClosed = true; } });';
    const module = await writeModule('pooled.mjs', code);
    const options = { supergraph: { file: 'none.graphql' }, telemetry: { logLevel: 'silent' as const } };
    const gateway = await createGateway({ ...options, extensions: [{ module, options: { pool } }] });
    await gateway.close();
    expect(pool.isClosed).toBe(true);
    const invalid = { module, options: 'pool' as never };
    await expect(createGateway({ ...options, extensions: [invalid] })).rejects.toThrow(
      'extensions[0].options',
    );
  });

  test('that was created is closed when another one is refused', async () => {
    const closed: string[] = [];
    const entries = ['a', 'b', 'a'].map((name) => ({ name, close: () => void closed.push(name) }));
    await expect(loadExtensions(entries, log)).rejects.toThrow('has the name "a" of extensions[0]');
    expect(closed).toEqual(['b', 'a']);
  });

  test('that is refused is reported together with files that cannot be used, and others are closed', async () => {
    const closed: string[] = [];
    const missing = join(directory, 'missing');
    const creating = createGateway({
      supergraph: { file: 'none.graphql' },
      telemetry: { logLevel: 'silent' },
      security: { trustedDocuments: { mode: 'require', manifest: missing } },
      listen: { tls: { cert: missing, key: missing } },
      extensions: [{ name: 'a', close: () => void closed.push('a') }, { module: missing }],
    });
    const { problems } = await creating.then(
      () => ({ problems: [] }),
      (error: ConfigError) => error,
    );
    expect(problems.map(({ path }) => path)).toEqual([
      'security.trustedDocuments.manifest',
      'listen.tls.cert',
      'listen.tls.key',
      'extensions[1].module',
    ]);
    expect(closed).toEqual(['a']);
  });

  test('is closed when the gateway cannot be created, as everything else', async () => {
    const closed: string[] = [];
    const timers = new FakeTimers();
    const plugin = {
      get requestDidStart(): never {
        throw new Error('no plugin');
      },
    };
    const creating = createGateway(
      {
        supergraph: { file: 'none.graphql' },
        telemetry: { logLevel: 'silent' },
        contracts: { guard: 'warn', driftInterval: '1m' },
        extensions: [{ name: 'a', close: () => void closed.push('a') }],
      },
      { plugins: [plugin], timers },
    );
    await expect(creating).rejects.toThrow('no plugin');
    expect(closed).toEqual(['a']);
    expect(timers.pendingMs()).toEqual([]);
  });
});
