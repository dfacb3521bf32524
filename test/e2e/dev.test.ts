import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { folder, write } from '../harness/commandFolder.ts';
import { exchange } from '../harness/rawHttp.ts';
import { RunningCommand } from '../harness/runningCommand.ts';
import { demoSupergraphFile } from '../harness/testGateway.ts';

/** Makes SIGUSR2 cause an error that no code catches. */
const faultAtSignal = {
  NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(
    'process.on("SIGUSR2", () => { throw new Error("fault"); });',
  )}`,
};

describe('tributary dev', () => {
  test('starts again with a changed configuration, continues with the last valid one, waits for another one when its port is in use, and ends at SIGINT', async () => {
    const writeConfig = (listen: string) =>
      write(
        'dev.yaml',
        `supergraph: { file: '${demoSupergraphFile}' }\nlisten: { ${listen} }\nadmin: { port: 0 }\ncontracts: { guard: 'off' }\n`,
      );
    await using command = new RunningCommand(folder, [
      'dev',
      '--config',
      writeConfig('port: 0, path: /first'),
    ]);
    const typeName = async (url: string) => {
      const response = await fetch(`${url}?query={__schema{queryType{name}}}`, {
        headers: { 'apollo-require-preflight': 'true' },
      });
      return (await response.json()).data.__schema.queryType.name;
    };
    const first = await command.url();
    expect([new URL(first).pathname, await typeName(first)]).toEqual(['/first', 'Query']);
    const [[, graphiql = ''] = []] = await command.printed('stdout', /^GraphiQL: open (\S+)/gm);
    const page = await fetch(graphiql, { headers: { accept: 'text/html' } });
    expect(await page.text()).toContain('<title>GraphiQL');
    const [[, insights = ''] = []] = await command.printed('stdout', /^Insights: open (\S+)/gm);
    // Also the page that says how to build it.
    expect(await (await fetch(insights)).text()).toMatch(/<title>.*insights/i);
    const preflight = async (origin: string) => {
      const headers = { origin, 'access-control-request-method': 'POST' };
      return (await fetch(first, { method: 'OPTIONS', headers })).headers.get('access-control-allow-origin');
    };
    const local = ['http://localhost:5173', 'https://shop.localhost', 'http://[::1]:3000'];
    expect(await Promise.all([...local, 'http://attacker.example:5173'].map(preflight))).toEqual([
      ...local,
      null,
    ]);
    await command.printed('stdout', /^Pages of localhost, on any port, may send requests/gm);
    const ofForeignPage = { path: '/first', headers: { host: 'attacker.example' } };
    expect((await exchange(first, ofForeignPage)).body).toContain('security.checkHost');
    writeConfig('prot: 1');
    await command.printed('stderr', /listen\.prot is not known; .*\nThe gateway continues with the last/g);
    expect(await typeName(first)).toBe('Query');
    writeConfig('port: 0, path: /first');
    await command.printed('stdout', /^The configuration is valid again, and has not changed\./gm);
    writeConfig('port: 0, path: /second');
    const [, [, second = ''] = []] = await command.printed('stdout', /listens on (\S+)/g, 2);
    expect([new URL(second).pathname, await typeName(second)]).toEqual(['/second', 'Query']);
    await expect(fetch(first)).rejects.toThrow('fetch failed');
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    writeConfig(`port: ${(taken.address() as AddressInfo).port}`);
    await command.printed(
      'stderr',
      /The gateway cannot run: .*\nIt starts again when its configuration or a file of its extensions changes\./g,
    );
    writeConfig('port: 0, path: /third');
    const [, , [, third = ''] = []] = await command.printed('stdout', /listens on (\S+)/g, 3);
    taken.close();
    expect([new URL(third).pathname, await typeName(third)]).toEqual(['/third', 'Query']);
    // In lines for people.
    await command.printed('stderr', /^\[[\d:.]+\] INFO: A new supergraph is in use \{/gm, 2);
    command.child.kill('SIGINT');
    expect((await command.ended).code).toBe(0);
  });

  test('starts again when a file of an extension changes, also one that could not be loaded or was missing, and survives errors of extensions', async () => {
    const writeGreeting = (text: string) => write('greeting.mts', text);
    const writeCount = (count: number) => write('count.cjs', `exports.count = ${count};\n`);
    writeCount(1);
    writeGreeting("export const greeting: string = 'first';\n");
    write(
      'greetings.mts',
      `import { count } from './count.cjs';
      import { greeting } from './greeting.mts';
      const handle = () => new Response(greeting + ' ' + count);
      export default { name: 'greetings', publicRoutes: [{ method: 'GET', path: '/greeting', handle }] };`,
    );
    const config = write(
      'greetings.yaml',
      // Without a supergraph, no start needs a planner.
      `supergraph: { file: missing.graphql }\nlisten: { port: 0 }\nadmin: { port: 0 }\nextensions: [{ module: ./greetings.mts }]\n`,
    );
    await using command = new RunningCommand(folder, ['dev', '--config', config], faultAtSignal);
    const greet = async (start: number) => {
      const matches = await command.printed('stdout', /listens on (\S+)[\s\S]*?Admin listener/g, start);
      return (await fetch(new URL('/greeting', matches.at(-1)?.[1]))).text();
    };
    expect(await greet(1)).toBe('first 1');
    command.child.kill('SIGUSR2');
    await command.printed('stderr', /ERROR: An unhandled error belongs to no request/g);
    expect(await greet(1)).toBe('first 1');
    writeGreeting("export const greeting: string = 'second';\n");
    await command.printed('stdout', /^A file of an extension has changed: the gateway starts again\./gm);
    expect(await greet(2)).toBe('second 1');
    writeGreeting('export const greeting = ;\n');
    await command.printed('stderr', /The gateway cannot run: [\s\S]*It starts again when/g);
    command.child.kill('SIGUSR2');
    await command.printed('stderr', /^Error: fault/gm);
    writeGreeting("export const greeting: string = 'third';\n");
    expect(await greet(3)).toBe('third 1');
    writeCount(2);
    expect(await greet(4)).toBe('third 2');
    rmSync(join(folder, 'greeting.mts'));
    await command.printed('stderr', /The gateway cannot run: [\s\S]*?It starts again when/g, 2);
    writeGreeting("export const greeting: string = 'fourth';\n");
    expect(await greet(5)).toBe('fourth 2');
  });
});
