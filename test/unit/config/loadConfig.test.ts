// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to environment variables
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { ConfigError } from '../../../gateway/config/configError.ts';
import {
  type LoadConfigOptions,
  loadConfig,
  loadConfigWithSources,
} from '../../../gateway/config/loadConfig.ts';
import { printConfig } from '../../../gateway/config/printConfig.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

let folder: string;
beforeEach(() => {
  folder = createTemporaryDirectory();
});

function load(yaml: string, options: Partial<LoadConfigOptions> = {}) {
  const file = join(folder, 'gateway.yaml');
  writeFileSync(file, yaml);
  return loadConfig({ file, env: {}, ...options });
}

function problemsOf(act: () => unknown) {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ location: _, ...problem }) => problem);
    throw error;
  }
  throw new Error('The configuration was accepted.');
}

describe('the precedence of configuration sources', () => {
  const yaml =
    'supergraph: { file: graphs/shop.graphql, watch: false }\nlisten: { port: 5000 }\nworkers: 3\n';

  test('the file overrides the defaults, and relative paths start at its directory', () => {
    const config = load(yaml);
    const { tls } = load(yaml.replace('port: 5000', 'tls: { cert: tls/cert.pem, key: /tls/key.pem }')).listen;
    expect(tls).toEqual({ cert: join(folder, 'tls/cert.pem'), key: '/tls/key.pem', ca: '' });
    expect(config.supergraph).toEqual({ file: join(folder, 'graphs/shop.graphql'), watch: false });
    expect(config.listen).toMatchObject({ host: '127.0.0.1', port: 5000 });
    expect(config.workers).toBe(3);
  });

  test('defaults apply to each option that the file does not have, also within its sections', () => {
    const defaults = { listen: { port: 7000, path: '/api' }, security: { graphiql: true }, workers: 2 };
    const config = load(yaml, { defaults });
    expect(config.listen).toMatchObject({ port: 5000, path: '/api' });
    expect([config.security.graphiql, config.workers]).toEqual([true, 3]);
  });

  test('relative paths of manifests of trusted documents start at the directory of the file', () => {
    const manifestOf = (manifest: string) =>
      load(
        `supergraph: { file: a }\nsecurity: { trustedDocuments: { mode: require, manifest: ${manifest} } }`,
      ).security.trustedDocuments.manifest;
    expect([manifestOf('a.json'), manifestOf('[b/a.json, /c.json]')]).toEqual([
      [join(folder, 'a.json')],
      [join(folder, 'b/a.json'), '/c.json'],
    ]);
  });

  test('relative paths of extensions start at the directory of the file, and names of packages stay', () => {
    const modules = ['./a.ts', '../b.ts', '@acme/c', '/d.ts'];
    const { extensions } = load(
      `${yaml}extensions: ${JSON.stringify(modules.map((module) => ({ module })))}`,
    );
    expect(extensions).toEqual(
      [join(folder, 'a.ts'), join(folder, '../b.ts'), '@acme/c', '/d.ts'].map((module) => ({
        module,
        options: {},
      })),
    );
  });

  test('relative paths of certificates start at the directory of the file', () => {
    const config = load(`${yaml}
redis: { tls: { ca: redis.pem } }
subgraphs:
  all: { tls: { ca: tls/ca.pem } }
  reviews: { tls: { cert: /etc/cert.pem, key: key.pem, ca: '' } }
`);
    expect([config.redis.tls.ca, config.subgraphs.all.tls, config.subgraphs.reviews?.tls]).toEqual([
      join(folder, 'redis.pem'),
      { ca: join(folder, 'tls/ca.pem'), cert: '', key: '' },
      { ca: '', cert: '/etc/cert.pem', key: join(folder, 'key.pem') },
    ]);
  });

  test('the command line overrides the file', () => {
    const overrides = {
      supergraph: '/other.graphql',
      host: '0.0.0.0',
      port: '0',
      adminPort: '5001',
      workers: 'auto',
    };
    const config = load(yaml, { overrides });
    expect(config.supergraph).toEqual({ file: '/other.graphql', watch: true });
    expect(config.listen).toMatchObject({ host: '0.0.0.0', port: 0 });
    expect(config.admin).toMatchObject({ host: '127.0.0.1', port: 5001 });
    expect(config.workers).toBe('auto');
  });

  test('a supergraph on the command line replaces supergraph.subgraphs', () => {
    const composed = 'supergraph: { subgraphs: [{ name: a, url: http://a }], pollInterval: 1s }';
    const config = load(composed, { overrides: { supergraph: '/other.graphql' } });
    expect(config.supergraph).toEqual({ file: '/other.graphql', watch: true });
  });

  test('options that the command line overrides need no variables', () => {
    const source =
      "supergraph: { url: '${URL}', headers: { x-key: '${KEY}' } }\nlisten: { port: '${PORT}' }\nadmin: { port: '${ADMIN}' }\nworkers: '${COUNT}'\n";
    const overrides = { supergraph: '/other.graphql', port: '1', adminPort: '2', workers: '1' };
    expect(load(source, { overrides }).listen.port).toBe(1);
    expect(problemsOf(() => load(source)).map(({ path }) => path)).toEqual([
      'supergraph.url',
      'supergraph.headers.x-key',
      'listen.port',
      'admin.port',
      'workers',
    ]);
  });

  test('sections that a command does not use need no variables, and have their defaults then', () => {
    const file =
      "supergraph: { file: a }\nredis: { url: '${REDIS}' }\nlisten: { port: '${PORT}' }\nlimits: { depth: 5 }\n";
    const config = load(file, { sections: ['supergraph', 'limits'] });
    expect([config.limits.depth, config.listen.port, config.redis.url]).toEqual([5, 4000, '']);
    expect(problemsOf(() => load(file, { sections: ['supergraph', 'listen'] }))).toEqual([
      expect.objectContaining({ path: 'listen.port' }),
    ]);
    expect(problemsOf(() => load(`${file}workers: none\n`, { sections: ['supergraph'] }))).toEqual([
      expect.objectContaining({ path: 'workers' }),
    ]);
  });

  test('a command about some subgraphs needs no variables of the others', () => {
    const file = `supergraph:
  subgraphs:
    - { name: reviews, url: '\${REVIEWS}', headers: { x-key: '\${KEY}' } }
    - { name: products, url: 'http://products.test/' }
subgraphs:
  all: { http2: 'off' }
  reviews: { tls: { ca: '\${file:/none.pem}' } }
  products: { url: 'http://products.test/graphql' }
`;
    const { supergraph, subgraphs } = load(file, { subgraphs: new Set(['products']) });
    expect([
      'subgraphs' in supergraph && supergraph.subgraphs.map(({ name }) => name),
      Object.keys(subgraphs),
    ]).toEqual([
      ['reviews', 'products'],
      ['all', 'products'],
    ]);
    expect(problemsOf(() => load(file, { subgraphs: new Set(['reviews']) })).map(({ path }) => path)).toEqual(
      ['supergraph.subgraphs[0].url', 'supergraph.subgraphs[0].headers.x-key', 'subgraphs.reviews.tls.ca'],
    );
  });

  test('an invalid value on the command line is reported like any other problem', () => {
    expect(problemsOf(() => load(yaml, { overrides: { port: 'http', workers: '-1' } }))).toEqual([
      { path: 'listen.port', message: 'is "http"', expected: 'a whole number from 0 to 65535' },
      { path: 'workers', message: 'is "-1"', expected: 'a whole number from 1 to 1024, or auto' },
    ]);
  });
});

describe('environment variables in the configuration', () => {
  test('are expanded in every text, with defaults for unset and empty variables', () => {
    const yaml = `
supergraph:
  subgraphs:
    - { name: reviews, url: '\${SCHEME:-http}://\${HOST}:\${PORT:-4104}/graphql' }
listen: { port: '\${LISTEN:-4000}', host: '\${EMPTY:-127.0.0.1}' }
security:
  introspection: \${OPEN:-true}
`;
    const config = load(yaml, { env: { HOST: 'reviews.internal', PORT: '80', EMPTY: '' } });
    expect(config.supergraph).toEqual({
      subgraphs: [{ name: 'reviews', url: 'http://reviews.internal:80/graphql' }],
      pollInterval: 10_000,
    });
    expect(config.listen).toMatchObject({ port: 4000, host: '127.0.0.1' });
    expect(config.security.introspection).toBe(true);
  });

  test('are not expanded in the value of another variable', () => {
    const config = load("supergraph: { file: '${FILE}' }", { env: { FILE: '/a/${B}.graphql', B: 'b' } });
    expect(config.supergraph).toEqual({ file: '/a/${B}.graphql', watch: true });
  });

  test.each(['${A:-${B}}', '${A:-${B:-b}}', '${A}-${C:-x${B}}', '${file:/run/${A}}'])(
    'are reported instead of expanded in part inside of another reference: %s',
    (password) => {
      const source = `supergraph: { file: a.graphql }\nredis: { password: '${password}' }`;
      expect(problemsOf(() => load(source, { env: { A: 'a', B: 'b' } }))).toEqual([
        {
          path: 'redis.password',
          message: 'has a variable or a file inside of another one',
          expected: 'variables and files beside each other, each with a default without $ and braces',
        },
      ]);
    },
  );

  test('without a value and a default are reported with the other problems', () => {
    const yaml = "supergraph: { file: 'a.graphql' }\nlisten: { port: '${PORT}', host: '${1X}', paht: /x }";
    expect(problemsOf(() => load(yaml))).toEqual([
      {
        path: 'listen.port',
        message: 'needs the environment variable PORT, which is not set',
        expected: 'a value, or a default as in ${PORT:-default}',
      },
      {
        path: 'listen.host',
        message: 'has $ and braces with something else in them than an environment variable or a file',
        expected: 'a name of letters, digits and _, as in `$NAME` with braces, or `file:` and a path',
      },
      { path: 'listen.paht', message: 'is not known; did you mean `path`?', expected: '' },
    ]);
  });

  test('without a value suggest a variable with a similar name', () => {
    const yaml = "supergraph: { file: 'a.graphql' }\nredis: { url: '${REDIS_URL}' }";
    expect(problemsOf(() => load(yaml, { env: { REDIS_URI: 'redis://:secret@a', PATH: '/bin' } }))).toEqual([
      {
        path: 'redis.url',
        message: 'needs the environment variable REDIS_URL, which is not set; did you mean `REDIS_URI`?',
        expected: '',
      },
    ]);
  });
});

describe('files in the configuration', () => {
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

  test('are replaced by their text, without one line break at the end', () => {
    write('key', 'p:-}w\r\n');
    write('password', 'a\n\n');
    const config = load(`
supergraph: { url: 'https://registry/graph', headers: { x-key: 'Bearer \${file:./key}' } }
redis: { url: 'redis://redis:6379', password: '\${file:${folder}/password}' }
`);
    expect(config.redis.password).toBe('a\n');
    expect(config.supergraph).toMatchObject({ headers: { 'x-key': 'Bearer p:-}w' } });
  });

  test('that are missing or empty have the default', () => {
    write('empty', '\n');
    const config = load(`
supergraph: { file: a.graphql }
listen: { host: '\${file:nowhere:-127.0.0.2}', port: '\${file:empty:-4002}' }
redis: { password: '\${file:nowhere:-}' }
`);
    expect(config.listen).toMatchObject({ host: '127.0.0.2', port: 4002 });
    expect(config.redis.password).toBe('');
  });

  test('that cannot be read are reported with the reason', () => {
    mkdirSync(join(folder, 'directory'));
    writeFileSync(join(folder, 'bytes'), new Uint8Array([0xff, 0x00]));
    const yaml = `
supergraph: { file: a.graphql }
redis: { username: '\${file:directory}', password: '\${file:nowhere}' }
listen: { host: '\${file:}' }
subgraphs: { all: { signing: { secret: '\${file:bytes}' } } }
`;
    expect(problemsOf(() => load(yaml))).toEqual([
      {
        path: 'redis.username',
        message: 'needs the file directory, which is a directory',
        expected: 'a file with the value, or a default as in ${file:directory:-default}',
      },
      {
        path: 'redis.password',
        message: 'needs the file nowhere, which does not exist',
        expected: 'a file with the value, or a default as in ${file:nowhere:-default}',
      },
      expect.objectContaining({ path: 'listen.host' }),
      {
        path: 'subgraphs.all.signing.secret',
        message: 'needs the file bytes, which is not UTF-8 text',
        expected: 'a file with the value, or a default as in ${file:bytes:-default}',
      },
    ]);
  });

  test('lose the byte order mark of an editor', () => {
    write('password', '\uFEFFsecret\n');
    const { redis } = load("supergraph: { file: a.graphql }\nredis: { password: '${file:password}' }");
    expect(redis.password).toBe('secret');
  });

  test('are masked in a printed configuration, except in what the command line overrides', () => {
    write('text', 'canary');
    const yaml = `
supergraph: { file: '\${file:text}' }
redis: { url: 'redis://:\${file:text}@redis', username: '\${file:text}', keyPrefix: 'a-\${file:text}', password: '\${NONE:-}' }
telemetry: { logLevel: '\${file:level:-warn}' }
`;
    const file = join(folder, 'gateway.yaml');
    writeFileSync(file, yaml);
    const { config, textsFromFiles } = loadConfigWithSources({
      file,
      overrides: { supergraph: '/a.graphql' },
      env: {},
    });
    const printed = parse(printConfig(config, textsFromFiles));
    expect(printed.redis).toMatchObject({
      url: 'redis://:***@redis',
      username: '***',
      keyPrefix: '***',
      password: '',
    });
    expect([printed.supergraph.file, printed.telemetry.logLevel]).toEqual(['/a.graphql', 'warn']);
    expect(config.redis).toMatchObject({ username: 'canary', keyPrefix: 'a-canary' });
  });

  test('are not quoted when they are invalid, because they may be secret', () => {
    write('password', 'canary');
    const yaml = `
supergraph: { file: a.graphql }
redis: { url: '\${file:password}' }
listen: { port: '\${file:password}', host: '\${file:nowhere}' }
telemetry: { logLevel: '\${LEVEL}' }
`;
    const described = (text: string) =>
      problemsOf(() => load(text, { env: { LEVEL: 'loud' } })).map(
        ({ path, message }) => `${path} ${message}`,
      );
    const invalid = ['listen.port is invalid', 'redis.url is invalid', 'telemetry.logLevel is "loud"'];
    expect(described(yaml.replace('nowhere', 'nowhere:-localhost'))).toEqual(invalid);
    expect(described(yaml)).toEqual(['listen.host needs the file nowhere, which does not exist', ...invalid]);
  });
});

describe('a configuration file', () => {
  test('that does not exist is reported by name', () => {
    const file = join(folder, 'nowhere.yaml');
    expect(problemsOf(() => loadConfig({ file, env: {} }))).toEqual([
      { path: file, message: 'does not exist', expected: 'a YAML file' },
    ]);
  });

  test('that is a directory is reported as one', () => {
    expect(problemsOf(() => loadConfig({ file: folder, env: {} }))).toEqual([
      { path: folder, message: 'is a directory', expected: 'a YAML file' },
    ]);
  });

  test('with invalid YAML is reported with line and column', () => {
    const problems = problemsOf(() => load('supergraph: { file: a\nlisten: { port: 1 }\n'));
    expect(problems.map(({ path }) => path)).toEqual([`${join(folder, 'gateway.yaml')}:2:1`]);
    expect(problems[0]?.message).toMatch(/^is not valid YAML: /);
  });

  test('that is no YAML at all is reported with its first problems', () => {
    const problems = problemsOf(() => load('type Query { a: Int b: Int }\n'.repeat(100)));
    expect(problems).toHaveLength(11);
    expect(problems.at(-1)?.message).toMatch(/^is the first of \d+ more places that are not valid YAML$/);
  });

  test('that repeats a key is reported with the key and both lines', () => {
    const yaml = `supergraph: { file: a }
subgraphs:
  reviews: { url: http://a }
  "reviews": { timeouts: { attempt: 1s, attempt: 2s } }
supergraph: { watch: true }
`;
    const expected = 'each key once in a section';
    const file = join(folder, 'gateway.yaml');
    expect(problemsOf(() => load(yaml))).toEqual([
      { path: `${file}:4:3`, message: 'repeats the key `reviews` of line 3', expected },
      { path: `${file}:4:41`, message: 'repeats the key `attempt` of line 4', expected },
      { path: `${file}:5:1`, message: 'repeats the key `supergraph` of line 1', expected },
    ]);
  });

  test('with variables without quotes in braces is reported for each of them', () => {
    const yaml = 'supergraph: { file: ${FILE} }\nlisten:\n  host: ${HOST}\nsubgraphs: { a: [${B}, 1] }\n';
    const file = join(folder, 'gateway.yaml');
    const message = 'has a variable without quotes inside { … } or [ … ]';
    const expected = "it in quotes, such as '${NAME}'";
    expect(problemsOf(() => load(yaml))).toEqual([
      { path: `${file}:1:22`, message, expected },
      { path: `${file}:4:19`, message, expected },
    ]);
  });

  test.each([
    [
      'an alias inside of what it stands for',
      'subgraphs: &all { a: { b: *all } }',
      ':1:27',
      { message: 'has an alias (`*`) inside of what it stands for (`&`)', expected: 'no such alias' },
    ],
    [
      'an alias without an anchor',
      'supergraph: { file: a }\nredis: { password: *secret }',
      ':2:20',
      {
        message: 'has an alias (text that begins with `*`) without its anchor (`&`)',
        expected: 'texts that begin with * in quotes',
      },
    ],
    [
      'a merge key without a section',
      'listen: { <<: 4000 }',
      '',
      {
        message: 'has more than 100 aliases (`*`), or a merge key (`<<`) with something else than a section',
        expected: '',
      },
    ],
    [
      'a second document',
      'supergraph: { file: a }\n---\nworkers: 2\n',
      ':2:1',
      { message: 'begins a second document (`---`)', expected: 'only one' },
    ],
  ])('with %s is reported', (_, yaml, position, problem) => {
    const path = `${join(folder, 'gateway.yaml')}${position}`;
    expect(problemsOf(() => load(yaml))).toEqual([{ path, ...problem }]);
  });

  test('may have merge keys, whose section has the options that it does not replace', () => {
    const yaml = `supergraph: { file: a }
subgraphs:
  reviews: &slow { timeouts: { attempt: 8s }, connections: 3 }
  stock: { <<: *slow, connections: 4 }
`;
    expect(load(yaml).subgraphs).toMatchObject({
      stock: { timeouts: { attempt: 8_000 }, connections: 4 },
    });
  });

  test('that is empty is reported for its missing supergraph', () => {
    expect(problemsOf(() => load('# nothing yet\n'))).toEqual([
      {
        path: 'supergraph',
        message: 'is missing',
        expected: 'a section with `file`, `url`, `subgraphs` or, in createGateway, `load`',
      },
    ]);
  });
});

describe('the message of ConfigError', () => {
  const file = () => join(folder, 'gateway.yaml');

  function messageOf(act: () => unknown): string {
    try {
      act();
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error('The configuration was accepted.');
  }

  test('lists every problem with its line', () => {
    expect(messageOf(() => load('listen: { prot: 1,\n  path: x }'))).toBe(
      [
        'The configuration is invalid:',
        `  listen.path is "x"; expected: a path that begins with /, without ? and #, with special characters as %20 (${file()}:2:3)`,
        `  listen.prot is not known; did you mean \`port\`? (${file()}:1:11)`,
        `  supergraph is missing; expected: a section with \`file\`, \`url\`, \`subgraphs\` or, in createGateway, \`load\` (${file()})`,
      ].join('\n'),
    );
  });

  test('has the line of list items, of quoted names, of the section of a missing option, and of an alias', () => {
    const yaml = `supergraph:
  subgraphs:
    - name: a
    - { name: b, url: ftp://b }
subgraphs:
  all: &all
    timeouts: { attempt: x }
  'two words': *all
`;
    const lines = messageOf(() => load(yaml)).split('\n');
    expect(lines.map((line) => /^ +(\S+).*yaml:(\d+:\d+)\)$/.exec(line)?.slice(1).join(' '))).toEqual([
      undefined,
      'supergraph.subgraphs[0].url 3:7',
      'supergraph.subgraphs[1].url 4:18',
      'subgraphs.all.timeouts.attempt 7:17',
      'subgraphs["two 8:3',
      'subgraphs["two 8:3',
    ]);
  });

  test('has no line of an option that the command line overrides', () => {
    const yaml = 'supergraph: { file: a }\nlisten: { port: 80, host: 0.0.0.0, path: x }\n';
    expect(messageOf(() => load(yaml, { overrides: { port: 'http' } }))).toBe(
      [
        'The configuration is invalid:',
        '  listen.port is "http"; expected: a whole number from 0 to 65535',
        `  listen.path is "x"; expected: a path that begins with /, without ? and #, with special characters as %20 (${file()}:2:36)`,
      ].join('\n'),
    );
  });
});
