import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type ConfigJsonSchema, createConfigJsonSchema } from '../../../gateway/config/configJsonSchema.ts';

const root = join(import.meta.dirname, '../../..');
const pageNames = ['apollo-gateway', 'apollo-router', 'cosmo', 'hive-gateway', 'mercurius'];

interface Row {
  /** The options of the other gateway in the first cell. */
  readonly names: readonly string[];
  readonly counterpart: string;
}

const readPage = (name: string): string => readFileSync(join(root, `docs/migration/${name}.md`), 'utf8');

/** The tables of the options under a heading. */
function rowsUnder(page: string, heading: string): Row[] {
  const level = /^#+/.exec(heading)?.[0].length ?? 0;
  const section = page.split(`\n${heading}\n`)[1]?.split(new RegExp(`\n#{1,${level}} `))[0] ?? '';
  return Array.from(section.matchAll(/^\| (`[^|]*) \| (.*) \|$/gm), ([, first = '', counterpart = '']) => ({
    names: Array.from(first.matchAll(/`([^`]+)`/g), ([, name = '']) => name),
    counterpart,
  }));
}

const namesUnder = (page: string, heading: string): string[] =>
  rowsUnder(page, heading)
    .flatMap(({ names }) => names)
    .sort();

/** The members of a declaration in a `.d.ts` file, without private ones and those that must be omitted. */
function membersOf(declarations: string, head: string): string[] {
  const body = declarations.split(`${head}`)[1]?.split(/^\}/m)[0];
  if (body === undefined) throw new Error(`The declaration "${head}" does not exist any more.`);
  return Array.from(
    body.matchAll(/^ {4}(?!private |constructor)(\w+)\??[:(<](?! undefined;)/gm),
    ([, name = '']) => name,
  );
}

/** The options of a supergraph manager: an interface, or the argument of its constructor. */
function managerOptionsOf(declarations: string, manager: string): string[] {
  if (declarations.includes(`interface ${manager}Options`)) {
    return membersOf(declarations, `interface ${manager}Options`);
  }
  const argument = /^ {4}constructor\(.*\}: \{\n([\s\S]*?)^ {4}\}\);/m.exec(declarations)?.[1] ?? '';
  return Array.from(argument.matchAll(/^ {8}(\w+)\??:/gm), ([, name = '']) => name);
}

const installed = (file: string): string => readFileSync(join(root, 'node_modules/@apollo', file), 'utf8');

describe('docs/migration/apollo-gateway.md', () => {
  const page = readPage('apollo-gateway');
  const config = installed('gateway/dist/config.d.ts');
  const managers = ['IntrospectAndCompose', 'LocalCompose', 'UplinkSupergraphManager'];
  const serverOptions = installed('server/dist/esm/externalTypes/constructor.d.ts');
  const plugins = installed('server/dist/esm/externalTypes/plugins.d.ts');
  const standalone = installed('server/dist/esm/standalone/index.d.ts');
  const pluginNames = readdirSync(join(root, 'node_modules/@apollo/server/dist/esm/plugin'), {
    recursive: true,
    encoding: 'utf8',
  })
    .filter((file) => file.endsWith('index.d.ts'))
    .flatMap((file) => [
      ...installed(`server/dist/esm/plugin/${file}`).matchAll(/(ApolloServerPlugin(?!\w*Options\b)\w+)/g),
    ])
    .map(([, name = '']) => name);

  const configInterfaces = Array.from(
    config.matchAll(/^(?:export )?interface \w*GatewayConfig(?:Base)? (?:extends \w+ )?\{/gm),
    ([head]) => head,
  );

  test.each<[string, readonly string[]]>([
    ['### `new ApolloGateway(…)`', configInterfaces.flatMap((head) => membersOf(config, head))],
    [
      '### `RemoteGraphQLDataSource`',
      membersOf(
        installed('gateway/dist/datasources/RemoteGraphQLDataSource.d.ts'),
        'class RemoteGraphQLDataSource',
      ),
    ],
    [
      '### Arguments of `process` and `willSendRequest`',
      membersOf(
        installed('gateway/dist/datasources/types.d.ts').replace('} & ({', ''),
        'type GraphQLDataSourceProcessOptions',
      ),
    ],
    [
      '### Supergraph managers',
      managers.flatMap((manager) =>
        managerOptionsOf(installed(`gateway/dist/supergraphManagers/${manager}/index.d.ts`), manager),
      ),
    ],
    [
      '### `new ApolloServer(…)`',
      ['interface ApolloServerOptionsBase', 'interface ApolloServerOptionsWithGateway'].flatMap((head) =>
        membersOf(serverOptions, head),
      ),
    ],
    [
      '### Members of `ApolloServer`',
      membersOf(
        installed('server/dist/esm/ApolloServer.d.ts').replace(/^ {4}readonly /gm, '    '),
        'class ApolloServer<',
      ),
    ],
    ['### Plugins of Apollo', pluginNames],
    [
      '### `startStandaloneServer(…)`',
      [...membersOf(standalone, 'interface StartStandaloneServerOptions'), 'listen'],
    ],
    [
      '### Hooks of plugins',
      [
        'interface ApolloServerPlugin',
        'interface GraphQLServerListener',
        'interface GraphQLRequestListener<',
        'interface GraphQLRequestExecutionListener',
      ].flatMap((head) => membersOf(plugins, head)),
    ],
  ])('has every option of the installed packages and no other under "%s"', (heading, options) => {
    expect(options.length).toBeGreaterThan(0);
    expect(namesUnder(page, heading)).toEqual([...new Set(options)].sort());
  });

  test('names the installed versions', () => {
    for (const name of ['gateway', 'server']) {
      const { version } = JSON.parse(installed(`${name}/package.json`));
      expect(page).toContain(`\`@apollo/${name}\` ${version.replace(/\.\d+$/, '')}`);
    }
  });
});

interface OptionList {
  readonly source: string;
  readonly version: string;
  /** The keys of each section; none for one that is not divided. */
  readonly keys: Readonly<Record<string, readonly string[]>>;
}

describe.each([
  ['apollo-router', 'apolloRouter'],
  ['cosmo', 'cosmoRouter'],
  ['hive-gateway', 'hiveGateway'],
  ['mercurius', 'mercurius'],
])('docs/migration/%s.md', (pageName, fixture) => {
  const page = readPage(pageName);
  const { keys, version }: OptionList = JSON.parse(
    readFileSync(join(root, `test/fixtures/migration/${fixture}.json`), 'utf8'),
  );
  const rows = rowsUnder(page, '## Every option');
  const documented = new Set(rows.flatMap(({ names }) => names));

  test('has every key', () => {
    expect(Object.keys(keys).length).toBeGreaterThan(20);
    const missing = Object.entries(keys)
      .filter(([section]) => !documented.has(`${section}.*`))
      .flatMap(([section, children]) =>
        children.length === 0 ? [section] : children.map((child) => `${section}.${child}`),
      )
      .filter((key) => !documented.has(key));
    expect(missing).toEqual([]);
  });

  test('names only keys that exist', () => {
    const known = new Set(
      Object.entries(keys).flatMap(([section, children]) => [
        section,
        `${section}.*`,
        ...children.map((child) => `${section}.${child}`),
      ]),
    );
    const isKnown = (name: string): boolean =>
      known.has(name) || [...known].some((key) => key.includes('.') && name.startsWith(`${key}.`));
    expect([...documented].filter((name) => !isKnown(name))).toEqual([]);
  });

  test('answers for a whole section only where it is not available', () => {
    const whole = rows.filter(({ names }) => names.some((name) => name.endsWith('.*')));
    expect(whole.filter(({ counterpart }) => !counterpart.startsWith('not available'))).toEqual([]);
  });

  test('names the version that its options are of', () => {
    expect(page).toContain(version);
  });
});

describe('the counterparts', () => {
  const schema = createConfigJsonSchema();

  /** Whether an option is in the configuration, in the spelling of docs/configuration.md. */
  function isOption(name: string): boolean {
    const path = name.replaceAll('[]', '.[]').split('.');
    let current: ConfigJsonSchema | undefined = schema;
    for (const key of path) {
      const others: ConfigJsonSchema['additionalProperties'] = current?.additionalProperties;
      if (key === '[]') current = current?.items;
      else if (key === '<name>') current = typeof others === 'object' ? others : undefined;
      else current = Object.hasOwn(current?.properties ?? {}, key) ? current?.properties?.[key] : undefined;
    }
    return current !== undefined;
  }

  test('are recognised by the spelling of docs/configuration.md', () => {
    expect(['subgraphs.<name>.url', 'security.jwt.issuers[].jwks', 'workers'].filter(isOption)).toHaveLength(
      3,
    );
    expect(['subgraphs.reviews.url', 'listen.prot', 'supergraph.subgraphs[].sdl'].filter(isOption)).toEqual(
      [],
    );
  });

  test.each(['README', ...pageNames])('are options that exist, linked to their section: %s', (pageName) => {
    const links = Array.from(
      readPage(pageName).matchAll(/\[`([^`]+)`\]\(\.\.\/configuration\.md#([\w-]+)\)/g),
      ([, option = '', anchor = '']) => ({ option, anchor }),
    );
    if (pageName !== 'README') expect(links.length).toBeGreaterThan(20);
    expect(
      links.filter(({ option, anchor }) => !isOption(option) || option.split(/[.[]/)[0] !== anchor),
    ).toEqual([]);
  });

  test.each(pageNames)('are a link, or a reason why there is none: %s', (pageName) => {
    const rows = rowsUnder(readPage(pageName), '## Every option');
    expect(
      rows
        .filter(
          ({ counterpart }) => !/\]\(|^not needed: |^not available(?: yet)?, because /.test(counterpart),
        )
        .map(({ names, counterpart }) => [names, counterpart]),
    ).toEqual([]);
  });
});

test('docs/migration/ has a page for each of these gateways', () => {
  const files = readdirSync(join(root, 'docs/migration')).map((file) => basename(file, '.md'));
  expect(files.sort()).toEqual(['README', ...pageNames].sort());
});
