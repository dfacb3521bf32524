import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { loadConfig } from '../../gateway/config/loadConfig.ts';
import { readDemoFaults } from '../../subgraphs/demo.ts';
import { runCommandInProcess } from '../harness/commandInProcess.ts';
import { composeSubgraphs, federatedSubgraph } from '../harness/composeSubgraphs.ts';
import { codeBlocksOf, type Page, readPages } from '../harness/documentation.ts';
import { GatedFaultClock } from '../harness/gatedFaultClock.ts';
import { PageRunner, ScriptThread } from '../harness/pageRunner.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';
import { startTestGateway, type TestGateway } from '../harness/testGateway.ts';

const root = join(import.meta.dirname, '../..');

/** Pages that a reader follows with the demo running, the README first. The guides have a suite of their own. */
const pages = (await readPages())
  .filter(({ path }) => /^(README\.md|subgraphs\/|storefront\/|docs\/(?!guides|decisions))/.test(path))
  .sort((a, b) => Number(b.path === 'README.md') - Number(a.path === 'README.md'));

/** Commands that are not run here, and why. */
const notRun: readonly (readonly [command: RegExp, reason: string])[] = [
  [
    /^npm |^\(cd \.\.\/tributary|^node scripts\/bootstrap\.mjs |127\.0\.0\.1:4200\//,
    'test/unit/demo and test/e2e/package.test.ts run the scripts, and the routes of the demo',
  ],
  [
    /^(npx )?tributary contracts |^mkdir -p contracts|^git add contracts/,
    'test/e2e/contracts.test.ts and the suites beside it, docs/guides/contracts-in-ci.md',
  ],
  [
    /^(rover|aws|npx wgc|npx @graphql-inspector\/cli|docker|kubectl|helm|systemctl|cp|mkdir) |\| kubectl /,
    'programs of others, and what only prepares them',
  ],
  [
    /^npx tributary (config check|serve) --config tributary\.yaml$/,
    'the configuration of another gateway, converted',
  ],
  [/^npx tributary serve --config mine\.yaml$/, 'a supergraph of the reader: a test below'],
  [/^ask\(\)|^diff <\(|127\.0\.0\.1:5001/, 'a second gateway beside the one that it replaces'],
  [/gateway\.example/, 'an address of the reader'],
  [/"\$URL"$/, 'an address of the reader'],
  [/Bearer \$TOKEN/, 'a graph with an issuer of tokens: test/e2e/authentication.test.ts'],
  [/"documentId": "3f5e…"/, 'a manifest of the reader: test/e2e/knownOperations.test.ts'],
];

const clock = new GatedFaultClock();
const scripts = new ScriptThread();
let directory: string;
let demo: TestGateway;
let runner: PageRunner;
beforeAll(async () => {
  directory = createTemporaryDirectory();
  const { cache, enrichment, security } = loadConfig({ file: join(root, 'tributary.yaml'), env: {} });
  demo = await startTestGateway({
    clock,
    faults: readDemoFaults({}),
    config: { cache, enrichment, security },
    // One of the commands changes the level of the log.
    dependencies: { logger: pino({ level: 'silent' }, { write: () => {} }) },
  });
  const portOf = (url: string): number => Number(new URL(url).port);
  runner = await PageRunner.start({
    directory,
    scripts,
    gate: clock,
    ports: new Map([
      ['4000', portOf(demo.url)],
      ['4001', portOf(demo.adminUrl)],
      ...demo.subgraphs.all.map(({ url }, index) => [`${4101 + index}`, portOf(url)] as const),
    ]),
  });
  runner.save('tributary.yaml', await readFile(join(root, 'tributary.yaml'), 'utf8'));
  const supergraph = join(root, 'test/fixtures/demo.supergraph.graphql');
  runner.save('supergraph.graphql', await readFile(supergraph, 'utf8'));
});
afterAll(async () => {
  clock.open();
  await runner[Symbol.asyncDispose]();
  await demo.close();
  await scripts[Symbol.asyncDispose]();
});

/** Commands of a page, one by one. A comment at the end is no part of one. */
function commandsOf(page: Page): readonly string[] {
  return codeBlocksOf(page)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ code }) =>
      code
        .replaceAll(/\\\n */g, '')
        .trim()
        .split('\n'),
    )
    .map((command) => command.replace(/ +# .*$/, '').trim())
    .filter((command) => command !== '' && !command.startsWith('#'));
}

const commands = pages.flatMap((page) => commandsOf(page).map((command) => ({ path: page.path, command })));
const isException = (command: string): boolean => notRun.some(([pattern]) => pattern.test(command));
/** Nothing else of a page is run: it could change this machine. */
const isRun = (command: string): boolean => /^(curl|npx tributary) /.test(command) && !isException(command);

test('every command of a page is run, or listed with the reason why not', () => {
  const unlisted = commands.filter(({ command }) => !isRun(command) && !isException(command));
  expect(unlisted).toEqual([]);
  const unused = notRun.filter(([pattern]) => !commands.some(({ command }) => pattern.test(command)));
  expect(unused).toEqual([]);
  expect(commands.filter(({ command }) => isRun(command)).length).toBeGreaterThan(20);
});

test('the commands of all pages succeed in order with the demo running, and then once more', async () => {
  let token = '';
  const problems: string[] = [];
  for (const pass of ['first', 'second']) {
    for (const page of pages) {
      for (const command of commandsOf(page).filter(isRun)) {
        const output = await runner
          .execute(command.replaceAll(/\$?\bTOKEN\b/g, token))
          .catch((error: Error) => `"error": ${error.message}`);
        token = /"enrichment":\{"token":"([^"]+)"/.exec(output)?.[1] ?? token;
        if (/"errors?": ?["{[]/.test(output))
          problems.push(`${page.path}, ${pass} time: ${command}\n${output}`);
      }
      await runner.endPage();
    }
  }
  expect(problems).toEqual([]);
});

test('a supergraph of the reader is served in the clone, whose tributary.yaml is that of the demo', async () => {
  const own = createTemporaryDirectory();
  await using reader = await PageRunner.start({ directory: own, scripts });
  reader.save('tributary.yaml', await readFile(join(root, 'tributary.yaml'), 'utf8'));
  const books = federatedSubgraph('books', 'type Query { book: String }');
  reader.save('supergraph.graphql', await composeSubgraphs([books]));
  const readme = pages.find(({ path }) => path === 'README.md') as Page;
  const blocks = codeBlocksOf(readme).filter(
    ({ language, code }) => language === 'yaml' || code.startsWith('npx tributary serve '),
  );
  // Rejects if the gateway does not get ready.
  await reader.run(blocks);
  expect(blocks.length).toBeGreaterThan(0);
});

test('every option of a command of tributary that a page names is in the help of the command', async () => {
  const named = new Map<string, Set<string>>();
  for (const { text } of await readPages()) {
    const uses = text.matchAll(
      /\btributary ((?:serve|dev|compose|plan|config (?:print|schema)|contracts [a-z]+(?:-[a-z]+)*))\b([^`\n]*)/g,
    );
    for (const [, command = '', rest = ''] of uses) {
      const options = named.get(command) ?? new Set();
      for (const [option] of rest.matchAll(/(?<= )--[a-z]+(?:-[a-z]+)*/g)) options.add(option);
      named.set(command, options);
    }
  }
  expect(named.get('contracts check')).toContain('--against');
  const unknown: string[] = [];
  for (const [command, options] of named) {
    const { code, stdout, stderr } = await runCommandInProcess([...command.split(' '), '--help'], directory);
    if (code !== 0) unknown.push(`${command}: ${stderr}`);
    for (const option of options) if (!stdout.includes(`${option} `)) unknown.push(`${command} ${option}`);
  }
  expect(unknown).toEqual([]);
});
