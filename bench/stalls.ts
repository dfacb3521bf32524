/** Measures how long one request can block the event loop of a gateway. See README.md. */
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Child, startChild } from './childProcess.ts';
import { cases, type StallCase, type StallRequest, subgraphSchemas } from './stalls/cases.ts';
import type { StallReport } from './stalls/gatewayProcess.ts';
import { createTemporaryDirectory } from './temporaryDirectory.ts';
import { writeSupergraph } from './writeSupergraph.ts';

const { values } = parseArgs({
  options: { only: { type: 'string' }, above: { type: 'string', default: '0' } },
});

const federation =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.8", import: ["@key", "@shareable"])\n';
const directory = createTemporaryDirectory('stalls');
const supergraphFile = await writeSupergraph(
  join(directory, 'supergraph.graphql'),
  Object.entries(subgraphSchemas).map(([name, sdl]) => ({
    name,
    url: 'http://127.0.0.1:1/graphql',
    sdl: federation + sdl,
  })),
);

console.log('| case | longest stall ms | CPU ms of it | peak RSS MiB | complete ms | response |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const stallCase of cases) {
  if (values.only !== undefined && !stallCase.name.includes(values.only)) continue;
  const row = await measure(stallCase);
  if (row.stallMs < Number(values.above)) continue;
  const numbers = [row.stallMs, row.stallCpuMs, row.peakRssMiB, row.wholeMs].map((value) => value.toFixed(0));
  console.log(`| ${stallCase.name} | ${numbers.join(' | ')} | ${row.answer} |`);
}
process.exit(0);

async function measure(
  stallCase: StallCase,
): Promise<StallReport & { readonly wholeMs: number; readonly answer: string }> {
  const path = (file: string): string => fileURLToPath(new URL(`stalls/${file}`, import.meta.url));
  const subgraphs = startChild('subgraphs', {
    core: 'load',
    args: ['--max-old-space-size=4096', path('subgraphProcess.ts'), stallCase.name],
    ipc: true,
  });
  const { url: subgraphUrl } = await received<{ url: string }>(subgraphs);
  const gateway = startChild('gateway', {
    core: 'target',
    args: ['--max-semi-space-size=64', path('gatewayProcess.ts'), supergraphFile, subgraphUrl, subgraphUrl],
    ipc: true,
  });
  const { url } = await received<{ url: string }>(gateway);
  try {
    await ask(url, { query: '{ warm: __typename }' });
    const measuring = received(gateway);
    gateway.process.send('measure');
    await measuring;
    const startedAt = performance.now();
    let answer = '';
    for (const one of stallCase.requests()) answer = await ask(url, one);
    const wholeMs = performance.now() - startedAt;
    const report = received<StallReport>(gateway);
    gateway.process.send('report');
    return { ...(await report), wholeMs, answer };
  } catch (error) {
    return {
      stallMs: 0,
      stallCpuMs: 0,
      peakRssMiB: 0,
      wholeMs: 0,
      answer: `failed: ${String(error).slice(0, 200)}`,
    };
  } finally {
    await Promise.all([gateway.stop(), subgraphs.stop()]);
  }
}

function received<T>(child: Child): Promise<T> {
  return Promise.race([
    child.ended,
    new Promise<T>((resolve) => child.process.once('message', (message) => resolve(message as T))),
  ]);
}

/** Returns the status, the size and, if it helps, the start of the response. */
function ask(
  url: string,
  { query, variables, variablesText, accept = 'application/json' }: StallRequest,
): Promise<string> {
  const text = variablesText ?? JSON.stringify(variables ?? {});
  const body = `{"query":${JSON.stringify(query)},"variables":${text}}`;
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method: 'POST', headers: { 'content-type': 'application/json', accept } },
      (response) => {
        let size = 0;
        let start = '';
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (start.length < 150) start += chunk.toString('latin1', 0, 150);
        });
        response.once('error', reject);
        response.once('end', () => {
          const message = /"message":"([^"]{0,80})/.exec(start)?.[1];
          resolve(
            `${response.statusCode}, ${(size / 1e6).toFixed(2)} MB${message === undefined ? '' : `: ${message}`}`,
          );
        });
      },
    );
    sent.once('error', reject);
    sent.end(body);
  });
}
