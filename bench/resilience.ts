/** Measures gateways while a subgraph fails, hangs, is slow or is overloaded. See README.md. */
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { firstLineOf, startChild, targetCore } from './childProcess.ts';
import { installPeers } from './installPeers.ts';
import { busyMs, treeCpuMs } from './processTree.ts';
import type { ClientsJob, ClientsReply } from './resilience/clientsProcess.ts';
import { faultySubgraph, subgraphNames, subgraphSdl } from './resilience/graph.ts';
import { type Bench, type Scenario, scenarios } from './resilience/scenarios.ts';
import type { FaultRequest, SubgraphAddresses, SubgraphFault } from './resilience/subgraphsProcess.ts';
import { startTarget } from './startTarget.ts';
import type { Target } from './targets/target.ts';
import { createTemporaryDirectory } from './temporaryDirectory.ts';
import { writeSupergraph } from './writeSupergraph.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    'warm-up': { type: 'string', default: '5' },
    scenario: { type: 'string', default: scenarios.map(({ name }) => name).join() },
    // Substrings of the names.
    targets: { type: 'string', default: 'tributary,apollo,hive' },
  },
});
const seconds = Number(values.seconds);

/** Longer than the deadline of a request in Tributary, and than the time-outs of the others. */
const clientTimeoutMs = 20_000;
const defaultIds = 2_000;

const fileOf = (path: string): string => fileURLToPath(new URL(`resilience/${path}`, import.meta.url));
const directory = createTemporaryDirectory('resilience');

const chosen = values.scenario.split(',').map((name) => {
  const scenario = scenarios.find((one) => one.name === name);
  const names = scenarios.map((one) => one.name).join(', ');
  if (scenario === undefined) throw new Error(`--scenario must be of ${names}, not "${name}".`);
  const parts = values.targets.split(',');
  const targets = scenario.targets.filter((target) => parts.some((part) => target.name.includes(part)));
  return { ...scenario, targets };
});
if (chosen.some(({ targets }) => targets.some(({ role }) => role === 'peer'))) installPeers();

const load = startChild('The clients', { core: 'load', args: [fileOf('clientsProcess.ts')], ipc: true });
let isComplete = true;
for (const scenario of chosen) {
  console.log(`### ${scenario.name}\n\n${scenario.title}, for ${seconds} s.\n`);
  const columns = ['target', ...scenario.columns, 'foreign load %'];
  console.log(`| ${columns.join(' | ')} |\n|${' --- |'.repeat(columns.length)}`);
  for (const target of scenario.targets) {
    const cells = await measure(scenario, target).catch((error: unknown) => {
      isComplete = false;
      return [`not measured: ${String(error).split('\n', 1)[0]}`];
    });
    console.log(`| ${[target.name, ...cells].join(' | ')} |`);
  }
  console.log();
}
await load.stop();
process.exitCode = isComplete ? 0 : 1;

/** Each target has new subgraphs, so that no target meets calls that another one has left behind. */
async function measure(scenario: Scenario, target: Target): Promise<readonly (string | number)[]> {
  const subgraphs = startChild('The subgraphs', { core: 'load', args: [fileOf('subgraphsProcess.ts')] });
  try {
    const { admin, urls } = JSON.parse(await firstLineOf(subgraphs)) as SubgraphAddresses;
    const supergraphFile = await writeSupergraph(
      join(directory, 'supergraph.graphql'),
      subgraphNames.map((name) => ({ name, url: urls[name], sdl: subgraphSdl(name) })),
    );
    const running = await startTarget(target, {
      supergraphFile,
      subgraphUrls: urls,
      sharing: false,
      directory,
    });
    try {
      const { pid } = running.child;
      const run: Bench['load'] = async (classes, options = {}) => {
        const job: ClientsJob = {
          url: running.url,
          classes,
          measureMs: (options.seconds ?? seconds) * 1_000,
          timeoutMs: options.timeoutMs ?? clientTimeoutMs,
          ids: options.ids ?? defaultIds,
        };
        load.process.send(job);
        const { child } = running;
        const replies = [once(load.process, 'message'), load.ended, child.ended, subgraphs.ended];
        const [reply] = (await Promise.race(replies)) as [ClientsReply];
        if (reply.kind === 'failed') throw new Error(reply.message);
        for (const { name, sent, good, failures } of reply.classes)
          console.error(
            `${scenario.name}, ${target.name}, ${name}: ${good} of ${sent} good, ${JSON.stringify(failures)}`,
          );
        return reply.classes;
      };
      const bench: Bench = {
        running,
        seconds,
        load: run,
        setFault: (fault) => setFault(admin, fault),
        countCalls: async () => {
          const counts = (await (await fetch(admin)).json()) as Record<string, number>;
          return counts[faultySubgraph] ?? 0;
        },
      };
      await warmUp(bench);
      const [busyBefore, cpuBefore, startedAt] = [busyMs(targetCore), treeCpuMs(pid), performance.now()];
      const cells = await scenario.measure(bench);
      const foreignMs = busyMs(targetCore) - busyBefore - (treeCpuMs(pid) - cpuBefore);
      const foreignPercent = Math.max(0, (100 * foreignMs) / (performance.now() - startedAt));
      return [...cells, targetCore === undefined ? '–' : foreignPercent.toFixed(0)];
    } finally {
      await running.child.stop();
    }
  } finally {
    await subgraphs.stop();
  }
}

/** Every field must be answered. */
async function warmUp({ load: run }: Bench): Promise<void> {
  const query = `query All($id: ID!) { product(id: $id) { ${subgraphNames.join(' ')} } }`;
  const classes = [{ name: 'all', requestsPerSecond: 100, query }];
  const [result] = await run(classes, { seconds: Number(values['warm-up']) });
  if (result === undefined || result.good < result.sent)
    throw new Error(`Without faults, ${result?.good} of ${result?.sent} responses were complete.`);
}

async function setFault(admin: string, fault: SubgraphFault): Promise<void> {
  const body: FaultRequest = { subgraph: faultySubgraph, fault };
  const response = await fetch(admin, { method: 'POST', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`The admin server of the subgraphs responded with ${response.status}.`);
}
